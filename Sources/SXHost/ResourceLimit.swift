#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// What the system allows this process, of one thing.
package enum ResourceLimit {
  /// Bytes that it may map.
  case addressSpace
  /// Files and connections that it may have open.
  case openFiles

  /// How much there may be; `Int.max` where nobody says.
  package var current: Int { limit.map { Int(clamping: $0.rlim_cur) } ?? .max }

  /// Allows itself more, as far as the system lets it. Does nothing when there may be as much already.
  package func raise(to wanted: Int) {
    guard var limit else { return }
    limit.rlim_cur = max(limit.rlim_cur, min(limit.rlim_max, rlim_t(wanted)))
    setrlimit(resource, &limit)
  }

  private var limit: rlimit? {
    var limit = rlimit()
    return getrlimit(resource, &limit) == 0 ? limit : nil
  }

  #if canImport(Glibc)
    private var resource: __rlimit_resource_t { __rlimit_resource_t(name.rawValue) }
    private var name: __rlimit_resource {
      switch self {
      case .addressSpace: RLIMIT_AS
      case .openFiles: RLIMIT_NOFILE
      }
    }
  #else
    private var resource: Int32 {
      switch self {
      case .addressSpace: RLIMIT_AS
      case .openFiles: RLIMIT_NOFILE
      }
    }
  #endif
}
