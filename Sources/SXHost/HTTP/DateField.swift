import Synchronization

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The text of the `Date` header (RFC 9110, sections 5.6.7 and 6.6.1), made once a second. Thread-safe.
final class DateField: Sendable {
  private let latest = Mutex<(second: time_t, text: String)>((-1, ""))

  var now: String {
    let second = time(nil)
    return latest.withLock { latest in
      if latest.second != second { latest = (second, Self.text(second)) }
      return latest.text
    }
  }

  static func text(_ second: time_t) -> String {
    let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    var second = second, time = tm()
    gmtime_r(&second, &time)
    func padded(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
    return "\(days[Int(time.tm_wday)]), \(padded(time.tm_mday)) \(months[Int(time.tm_mon)]) \(time.tm_year + 1900) "
      + "\(padded(time.tm_hour)):\(padded(time.tm_min)):\(padded(time.tm_sec)) GMT"
  }
}
