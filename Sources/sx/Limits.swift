import ArgumentParser
import SXHost

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// How much memory the values of an interpreter may take.
struct HeapLimit: ParsableArguments {
  @Option(
    name: .customLong("max-heap"),
    help: ArgumentHelp("How much memory values may take, as 500M or 2G; half of the machine's by default.", valueName: "size"))
  var size: MemorySize?

  /// - Parameter sharers: interpreters that run side by side and have the machine's half together.
  func bytes(sharers: Int = 1) -> Int { size?.bytes ?? Self.standard / max(1, sharers) }

  static var standard: Int { MemorySize.ofMachine.bytes / 2 }
}

/// How long a program may run.
struct TimeLimit: ParsableArguments {
  @Option(help: ArgumentHelp("How long it may take. The exit status of one that takes longer is 124.", valueName: "seconds"))
  var timeout: Double?

  func validate() throws {
    if let timeout, !(timeout > 0 && timeout < 1e6) { throw ValidationError("--timeout must be a number of seconds above 0.") }
  }
}

/// A number of bytes, as people write it.
struct MemorySize: ExpressibleByArgument {
  let bytes: Int

  init(bytes: Int) { self.bytes = bytes }

  /// `500000`, `500K`, `500M`, `2G`, each with or without a `B` at the end. K is 1024.
  init?(argument: String) {
    var digits = Substring(argument.uppercased())
    if digits.hasSuffix("B") { digits.removeLast() }
    var unit = 1
    for (suffix, size) in [("K", 1 << 10), ("M", 1 << 20), ("G", 1 << 30), ("T", 1 << 40)] where digits.hasSuffix(suffix) {
      unit = size
      digits.removeLast()
      break
    }
    guard digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }), let number = Int(digits), number > 0 else { return nil }
    let (bytes, overflows) = number.multipliedReportingOverflow(by: unit)
    guard !overflows else { return nil }
    self.bytes = bytes
  }

  /// What this process may use at most: the machine's memory, or less where it runs in a container that has a limit.
  static let ofMachine: MemorySize = {
    let machine = sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))
    let limits = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"].compactMap { path -> Int? in
      guard let bytes = try? Files.contents(of: path) else { return nil }
      return Int(String(decoding: bytes.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }, as: UTF8.self))
    }
    return MemorySize(bytes: ([machine] + limits).filter { $0 > 0 }.min() ?? 1 << 30)
  }()
}
