/// Numbers for people; the same in every locale.
enum Quantity {
  /// `value` with that many decimals; the standard library has no formatting of its own.
  static func fixed(_ value: Double, decimals: Int) -> String {
    var scale = 1.0
    for _ in 0..<decimals { scale *= 10 }
    guard let units = Int(exactly: (value.magnitude * scale).rounded()), scale < 1e9 else {
      return value.description
    }
    let digits = String(units)
    let padded = String(repeating: "0", count: max(0, decimals + 1 - digits.count)) + digits
    let sign = value < 0 && units > 0 ? "-" : ""
    guard decimals > 0 else { return sign + padded }
    return "\(sign)\(padded.dropLast(decimals)).\(padded.suffix(decimals))"
  }

  /// To a hundredth of a cent, and what is less than ten of those to two digits: a price that is
  /// not 0 never looks like it.
  static func dollars(_ value: Double) -> String {
    var decimals = 4
    var least = 0.001
    while value > 0, value < least, decimals < 8 {
      decimals += 1
      least /= 10
    }
    return fixed(value, decimals: decimals) + " USD"
  }

  static func milliseconds(_ value: Double) -> String {
    value < 10_000
      ? fixed(value, decimals: value < 100 ? 1 : 0) + " ms"
      : fixed(value / 1000, decimals: 1) + " s"
  }

  /// Two units at most: `42 s`, `3 min 5 s`, `2 h 10 min`, `5 d 3 h`.
  static func seconds(_ value: Double) -> String {
    guard value >= 0, let seconds = Int(exactly: value.rounded()) else { return "?" }
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400)
    if days > 0 { return "\(days) d \(hours % 24) h" }
    if hours > 0 { return "\(hours) h \(minutes % 60) min" }
    return minutes > 0 ? "\(minutes) min \(seconds % 60) s" : "\(seconds) s"
  }

  /// The same for narrow columns, as the configuration has durations: `42s`, `3m5s`, `2h10m`.
  static func shortSeconds(_ value: Double) -> String {
    seconds(value).split(separator: " ").map { $0 == "min" ? "m" : $0 }.joined()
  }

  static func bytes(_ value: Double) -> String {
    var (value, unit) = (value, "B")
    for larger in ["KiB", "MiB", "GiB"] where value >= 1024 {
      value /= 1024
      unit = larger
    }
    return fixed(value, decimals: unit == "B" || value >= 100 ? 0 : 1) + " " + unit
  }
}
