extension NativeTable {
  mutating func installDates() {
    add("format-date", required("time"), optional("format", .string), walks: true, doc: "A time in UTC as text, by %Y %m %d %H %M %S %L (milliseconds) %j %a %A %b %B %F %T %z %%. The time is seconds since 1970 (milliseconds from 10¹¹ on), or ISO 8601 text. The format is \"%F\" unless it is given.", example: "(format-date 0 \"%Y-%m-%d %H:%M:%S\") → \"1970-01-01 00:00:00\"") { m, args in
      let time = try m.time(args[0])
      guard let format = args.optional(1), !format.isNil else { return m.heap.string(DateFormat.format(time, "%F")) }
      return m.heap.string(DateFormat.format(time, format.text))
    }
    add("parse-datetime", required("text"), doc: "The seconds since 1970 of an ISO 8601 date, or date and time, with optional fraction, Z or offset (none: UTC); nil when it is none.", example: "(parse-datetime \"1970-01-02T00:00:30Z\") → 86430") { m, args in
      guard args[0].isString, let time = DateParser.parse(args[0].utf8) else { return .nil }
      if time.nanoseconds == 0 { return m.heap.int(time.seconds) }
      return m.heap.double(Double(time.seconds) + Double(time.nanoseconds) / 1e9)
    }
  }
}

/// A point in time: seconds since 1970 and the nanoseconds that follow them.
struct Timestamp {
  var seconds: Int
  var nanoseconds = 0
}

extension Machine {
  /// Seconds or milliseconds: 10¹¹ seconds is the year 5138, 10¹¹ milliseconds the year 1973, so real times are told apart.
  fileprivate func time(_ v: Value) throws -> Timestamp {
    if let i = Arithmetic.integer(v) {
      guard i.magnitude >= 100_000_000_000 else { return Timestamp(seconds: i) }
      let (seconds, rest) = i.flooredDivision(by: 1000)
      return Timestamp(seconds: seconds, nanoseconds: rest * 1_000_000)
    }
    if let d = Arithmetic.float(v) {
      let seconds = abs(d) >= 1e11 ? d / 1000 : d, whole = seconds.rounded(.down)
      guard abs(whole) < 1e15 else { throw error("format-date: \(Numbers.format(d, point: false)) is no time") }
      return Timestamp(seconds: Int(whole), nanoseconds: min(999_999_999, Int(((seconds - whole) * 1e9).rounded())))
    }
    guard v.isString else { throw wrongType("format-date", 1, "number or string", v) }
    guard let time = DateParser.parse(v.utf8) else { throw error("format-date: \(Printer.text(v, self)) is no ISO 8601 date") }
    return time
  }
}

extension Int {
  /// Rounded down, so that the rest is never negative.
  fileprivate func flooredDivision(by divisor: Int) -> (quotient: Int, rest: Int) {
    let (q, r) = quotientAndRemainder(dividingBy: divisor)
    return r < 0 ? (q - 1, r + divisor) : (q, r)
  }
}

/// The proleptic Gregorian calendar, in 400-year eras whose years begin in March, so that the leap day comes last.
enum Calendar {
  private static let daysPerEra = 146_097

  static func days(year: Int, month: Int, day: Int) -> Int {
    let y = month <= 2 ? year - 1 : year
    let (era, yearOfEra) = y.flooredDivision(by: 400)
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    return era * daysPerEra + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }
  static func date(days: Int) -> (year: Int, month: Int, day: Int) {
    let (era, dayOfEra) = (days + 719_468).flooredDivision(by: daysPerEra)
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shifted = (5 * dayOfYear + 2) / 153
    let month = shifted < 10 ? shifted + 3 : shifted - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shifted + 2) / 5 + 1)
  }
  static func length(ofMonth month: Int, _ year: Int) -> Int {
    switch month {
    case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }
}

enum DateFormat {
  private static let weekdays = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
  private static let months = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"]

  static func format(_ time: Timestamp, _ format: String) -> String {
    let (days, second) = time.seconds.flooredDivision(by: 86_400)
    let (year, month, day) = Calendar.date(days: days)
    let weekday = (days + 4).flooredDivision(by: 7).rest, hour = second / 3600
    var out = ""
    func padded(_ n: Int, _ width: Int) -> String {
      let digits = String(n.magnitude)
      return (n < 0 ? "-" : "") + String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
    var rest = format.unicodeScalars[...]
    while let c = rest.popFirst() {
      guard c == "%", let directive = rest.popFirst() else {
        out.unicodeScalars.append(c)
        continue
      }
      switch directive {
      case "Y": out += padded(year, 4)
      case "y": out += padded(year.flooredDivision(by: 100).rest, 2)
      case "m": out += padded(month, 2)
      case "d": out += padded(day, 2)
      case "e": out += day < 10 ? " \(day)" : "\(day)"
      case "H": out += padded(hour, 2)
      case "I": out += padded((hour + 11) % 12 + 1, 2)
      case "p": out += hour < 12 ? "AM" : "PM"
      case "M": out += padded(second / 60 % 60, 2)
      case "S": out += padded(second % 60, 2)
      case "L": out += padded(time.nanoseconds / 1_000_000, 3)
      case "j": out += padded(days - Calendar.days(year: year, month: 1, day: 1) + 1, 3)
      case "a": out += weekdays[weekday].prefix(3)
      case "A": out += weekdays[weekday]
      case "b": out += months[month - 1].prefix(3)
      case "B": out += months[month - 1]
      case "F": out += padded(year, 4) + "-" + padded(month, 2) + "-" + padded(day, 2)
      case "T": out += padded(hour, 2) + ":" + padded(second / 60 % 60, 2) + ":" + padded(second % 60, 2)
      case "s": out += "\(time.seconds)"
      case "z": out += "+0000"
      case "Z": out += "UTC"
      case "%": out += "%"
      default:
        out += "%"
        out.unicodeScalars.append(directive)
      }
    }
    return out
  }
}

/// `YYYY-MM-DD`, then optionally `T` or a space, `HH:MM`, `:SS`, a fraction, and `Z` or `±HH:MM`.
struct DateParser {
  private let text: UnsafeBufferPointer<UInt8>
  private var at = 0

  static func parse(_ text: UnsafeBufferPointer<UInt8>) -> Timestamp? {
    var parser = DateParser(text: text)
    return parser.timestamp()
  }
  private init(text: UnsafeBufferPointer<UInt8>) { self.text = text }

  private mutating func timestamp() -> Timestamp? {
    guard let year = number(4), skip("-"), let month = number(2), 1...12 ~= month, skip("-"),
      let day = number(2), 1...Calendar.length(ofMonth: month, year) ~= day
    else { return nil }
    var time = Timestamp(seconds: Calendar.days(year: year, month: month, day: day) * 86_400)
    if at == text.count { return time }
    guard skip("T") || skip("t") || skip(" "), let hour = number(2), hour < 24, skip(":"), let minute = number(2), minute < 60 else { return nil }
    time.seconds += hour * 3600 + minute * 60
    if skip(":") {
      guard let second = number(2), second <= 60 else { return nil }      // 60: a leap second, counted as the next one
      time.seconds += second
      if skip(".") || skip(",") {
        guard let fraction = fraction() else { return nil }
        time.nanoseconds = fraction
      }
    }
    guard let offset = offset(), at == text.count else { return nil }
    time.seconds -= offset
    return time
  }

  /// Seconds east of Greenwich.
  private mutating func offset() -> Int? {
    if at == text.count || skip("Z") || skip("z") { return 0 }
    let sign = skip("+") ? 1 : skip("-") ? -1 : 0
    guard sign != 0, let hours = number(2), hours < 24 else { return nil }
    if at == text.count { return sign * hours * 3600 }
    _ = skip(":")
    guard let minutes = number(2), minutes < 60 else { return nil }
    return sign * (hours * 3600 + minutes * 60)
  }
  /// Digits as nanoseconds; what is finer is dropped.
  private mutating func fraction() -> Int? {
    var value = 0, unit = 100_000_000, count = 0
    while let digit = digit() {
      value += digit * unit
      unit /= 10
      count += 1
    }
    return count > 0 ? value : nil
  }
  private mutating func number(_ width: Int) -> Int? {
    var value = 0
    for _ in 0..<width {
      guard let digit = digit() else { return nil }
      value = value * 10 + digit
    }
    return value
  }
  private mutating func digit() -> Int? {
    guard at < text.count, 0x30...0x39 ~= text[at] else { return nil }
    at += 1
    return Int(text[at - 1]) - 0x30
  }
  private mutating func skip(_ c: Unicode.Scalar) -> Bool {
    guard at < text.count, UInt32(text[at]) == c.value else { return false }
    at += 1
    return true
  }
}
