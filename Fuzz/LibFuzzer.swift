import Glibc

/// What libFuzzer calls with each input. The variable FUZZ_TARGET says which property is tried.
///
/// A property that does not hold ends the process, and libFuzzer keeps the input.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  do { try FuzzProcess.check(Array(UnsafeBufferPointer(start: data, count: count))) } catch { fatalError("\(error)") }
  return 0
}

enum FuzzProcess {
  /// The property. libFuzzer calls from one thread.
  nonisolated(unsafe) static let check: ([UInt8]) throws -> Void = {
    guard let name = getenv("FUZZ_TARGET").map({ String(cString: $0) }), let path = getenv("FUZZ_SOURCE") else {
      fatalError("FUZZ_TARGET and FUZZ_SOURCE name the target: Fuzz/fuzz.sh sets them")
    }
    if let property = NativeProperty.all[name] {
      do { return try property.prepare() } catch { fatalError("\(error)") }
    }
    guard let file = fopen(path, "r") else { fatalError("cannot read \(String(cString: path))") }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 1 << 16)
    let count = fread(&bytes, 1, bytes.count, file)
    return FuzzTarget(source: String(decoding: bytes[..<count], as: UTF8.self), name: name).check
  }()
}
