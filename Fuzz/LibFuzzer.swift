import Glibc
import SX

/// What libFuzzer calls with each input. The variable FUZZ_TARGET says which property is tried.
///
/// A property that does not hold ends the process, and libFuzzer keeps the input.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  do {
    let interpreter = try FuzzProcess.kept ?? FuzzProcess.target.makeInterpreter()
    let (failure, isAtRest) = try FuzzProcess.target.run(Array(UnsafeBufferPointer(start: data, count: count)), in: interpreter)
    if let failure { fatalError("\(failure)") }
    // Programs leave definitions behind; an input has to do the same when it comes again.
    FuzzProcess.kept = isAtRest && FuzzProcess.target.name != "run" ? interpreter : nil
  } catch {
    fatalError("\(error)")
  }
  return 0
}

/// libFuzzer calls from one thread.
enum FuzzProcess {
  nonisolated(unsafe) static var kept: Interpreter?

  static let target: FuzzTarget = {
    guard let name = getenv("FUZZ_TARGET").map({ String(cString: $0) }), let path = getenv("FUZZ_SOURCE") else {
      fatalError("FUZZ_TARGET and FUZZ_SOURCE name the target: Fuzz/fuzz.sh sets them")
    }
    guard let file = fopen(path, "r") else { fatalError("cannot read \(String(cString: path))") }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 1 << 16)
    let count = fread(&bytes, 1, bytes.count, file)
    return FuzzTarget(source: String(decoding: bytes[..<count], as: UTF8.self), name: name)
  }()
}
