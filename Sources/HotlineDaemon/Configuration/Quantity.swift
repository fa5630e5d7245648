/// Durations and byte sizes as the configuration writes them.
enum Quantity {
  private static let durationUnits: [(name: String, size: Duration)] = [
    ("h", .seconds(3600)), ("m", .seconds(60)), ("s", .seconds(1)), ("ms", .milliseconds(1)),
  ]
  private static let byteUnits: [(name: String, size: Int)] = [
    ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1),
  ]

  /// `25s`, `500ms`, `1h30m`: whole numbers with `h`, `m`, `s` or `ms`, larger units first, each
  /// once. Nil for anything else.
  static func duration(_ text: String) -> Duration? {
    var rest = text.utf8[...]
    var units = durationUnits[...]
    var sum = Duration.zero
    repeat {
      guard let number = leadingNumber(&rest, max: 1_000_000_000) else { return nil }
      let name = rest.prefix { 0x61...0x7A ~= $0 }
      rest = rest.dropFirst(name.count)
      guard let index = units.firstIndex(where: { $0.name.utf8.elementsEqual(name) }) else {
        return nil
      }
      sum += units[index].size * number
      units = units[(index + 1)...]
    } while !rest.isEmpty
    return sum
  }

  /// `64MiB`: a whole number with `B`, `KiB`, `MiB` or `GiB`. Nil for anything else.
  static func bytes(_ text: String) -> Int? {
    var rest = text.utf8[...]
    guard let number = leadingNumber(&rest, max: 1 << 50),
      let unit = byteUnits.first(where: { $0.name.utf8.elementsEqual(rest) })
    else { return nil }
    let (product, overflow) = number.multipliedReportingOverflow(by: unit.size)
    return overflow ? nil : product
  }

  private static func leadingNumber(_ text: inout Substring.UTF8View, max: Int) -> Int? {
    let digits = text.prefix { 0x30...0x39 ~= $0 }
    text = text.dropFirst(digits.count)
    guard 1...18 ~= digits.count else { return nil }
    let number = digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
    return number <= max ? number : nil
  }

  /// The duration as the configuration writes it.
  static func text(_ duration: Duration) -> String {
    if duration == .zero { return "0s" }
    var rest = duration
    var text = ""
    for unit in durationUnits {
      let count = Int(rest / unit.size)
      guard count > 0 else { continue }
      text += "\(count)\(unit.name)"
      rest -= unit.size * count
    }
    return text
  }

  /// The size as the configuration writes it, in the largest unit that fits evenly.
  static func text(bytes: Int) -> String {
    guard let unit = byteUnits.first(where: { bytes >= $0.size && bytes % $0.size == 0 }) else {
      return "\(bytes)B"
    }
    return "\(bytes / unit.size)\(unit.name)"
  }
}
