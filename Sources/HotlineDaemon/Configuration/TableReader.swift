import TOMLKit

/// Takes values out of one table of the document; whatever is not as it should be becomes a problem
/// that names the full key.
///
/// The parser's own decoder reports a wrong type as a missing key, hence this one.
struct TableReader {
  let path: [String]
  let table: TOMLTable?
  private let outline: TOMLOutline?
  private(set) var problems: [ConfigurationProblem] = []
  /// Full keys that the document gave a good value.
  private(set) var accepted: Set<String> = []
  /// Keys of this table that have a problem.
  private(set) var rejected: Set<String> = []

  init(path: [String], table: TOMLTable?, outline: TOMLOutline?, known: [String]) {
    self.path = path
    self.table = table
    self.outline = outline
    for key in table?.keys.sorted() ?? [] where !known.contains(key) {
      reject(key, "unknown key; " + Showable.suggestion(for: key, among: known))
    }
  }

  func isGiven(_ key: String) -> Bool { table?.contains(key: key) ?? false }

  mutating func reject(_ key: String, _ message: String) {
    reject(key, under: [], message)
  }

  /// A problem with something inside of the value of `key`.
  mutating func reject(_ key: String, under inner: [String], _ message: String) {
    let full = path + [key] + inner
    rejected.insert(key)
    accepted.remove(Showable.path(path + [key]))
    problems.append(
      ConfigurationProblem(Showable.path(full), message, line: outline?.line(of: full)))
  }

  /// The value in quotes with a comma, or nothing where it is not to be shown.
  func shown(_ key: String, _ value: String) -> String {
    Showable.isSecret(path + [key]) ? "" : Showable.quoted(value) + " "
  }

  mutating func string(_ key: String, such example: String) -> String? {
    value(key, .string, "a string such as \"\(example)\"")?.string
  }

  /// An amount, with or without a decimal point.
  mutating func decimal(
    _ key: String, _ range: ClosedRange<Double>, such example: String
  ) -> Double? {
    guard isGiven(key), let node = table?[key] else { return nil }
    let amount = node.double ?? node.int.map(Double.init)
    guard node.type == .int || node.type == .double, let amount else {
      let type = Self.described(node, isSecret: Showable.isSecret(path + [key]))
      reject(key, "is \(type), but has to be a number such as \(example)")
      return nil
    }
    guard range.contains(amount) else {
      reject(key, "\(amount) is out of range; \(range.lowerBound) to \(range.upperBound) would do")
      return nil
    }
    accepted.insert(Showable.path(path + [key]))
    return amount
  }

  mutating func bool(_ key: String) -> Bool? {
    value(key, .bool, "true or false")?.bool
  }

  /// The strings of the array under `key`; `nil` where it is none, or has something else in it.
  mutating func strings(_ key: String, such example: String) -> [String]? {
    let wanted = "an array of strings such as [\"\(example)\"]"
    guard let array = value(key, .array, wanted)?.array else { return nil }
    let texts = array.compactMap { $0.tomlValue.type == .string ? $0.tomlValue.string : nil }
    guard texts.count == array.count else {
      reject(key, "has something else than a string in it, but has to be \(wanted)")
      return nil
    }
    return texts
  }

  /// The uids or gids of the array under `key`.
  mutating func identifiers(_ key: String) -> Set<UInt32>? {
    let wanted = "an array of numbers such as [1000]"
    guard let array = value(key, .array, wanted)?.array else { return nil }
    var identifiers: Set<UInt32> = []
    for node in array {
      // The last one is nobody's: chown(2) takes it for "unchanged".
      guard let number = node.tomlValue.int.flatMap(UInt32.init(exactly:)), number < .max else {
        reject(
          key,
          "has something else than a number from 0 to \(UInt32.max - 1) in it; names are not known "
            + "here, \"id -u NAME\" and \"getent group NAME\" tell their numbers")
        return nil
      }
      identifiers.insert(number)
    }
    guard identifiers.count <= Schema.identifiersMax else {
      reject(key, "\(identifiers.count) are too many; at most \(Schema.identifiersMax) would do")
      return nil
    }
    return identifiers
  }

  /// The table under `key`.
  mutating func subtable(_ key: String) -> TOMLTable? {
    value(key, .table, "a table, [\(Showable.path(path + [key]))]")?.table
  }

  mutating func choice<T: RawRepresentable & CaseIterable>(_ key: String, _ type: T.Type) -> T?
  where T.RawValue == String {
    let known = T.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: " or ")
    guard let text = value(key, .string, known)?.string else { return nil }
    if let choice = T(rawValue: text) { return choice }
    reject(key, "\(shown(key, text))is not known; \(known) would do")
    return nil
  }

  /// Sets the limits that the table gives, each after a look at its range.
  mutating func read<Root>(_ settings: [LimitSetting<Root>], into root: inout Root) {
    for setting in settings {
      switch setting.field {
      case .count(let field, let range):
        let ends = ("\(range.lowerBound)", "\(range.upperBound)")
        guard let node = value(setting.key, .int, "an integer from \(ends.0) to \(ends.1)"),
          let count = node.int
        else { continue }
        if check(setting.key, count, "\(count)", range, ends) { root[keyPath: field] = count }
      case .bytes(let field, let range):
        let ends = (Quantity.text(bytes: range.lowerBound), Quantity.text(bytes: range.upperBound))
        guard let (bytes, text) = byteSize(setting.key) else { continue }
        if check(setting.key, bytes, text, range, ends) { root[keyPath: field] = bytes }
      case .duration(let field, let range):
        let ends = (Quantity.text(range.lowerBound), Quantity.text(range.upperBound))
        guard let text = string(setting.key, such: "25s") else { continue }
        guard let duration = Quantity.duration(text) else {
          reject(
            setting.key,
            "\(shown(setting.key, text))is no duration; whole numbers with h, m, s or "
              + "ms, such as \"25s\" or \"1h30m\", would do")
          continue
        }
        if check(setting.key, duration, "\"\(text)\"", range, ends) {
          root[keyPath: field] = duration
        }
      }
    }
  }

  private mutating func byteSize(_ key: String) -> (bytes: Int, text: String)? {
    guard isGiven(key) else { return nil }
    if let bytes = table?[key]?.int {
      accepted.insert(Showable.path(path + [key]))
      return (bytes, "\(bytes)")
    }
    let wanted = "a number of bytes or a string such as \"64MiB\""
    guard let text = value(key, .string, wanted)?.string else { return nil }
    if let bytes = Quantity.bytes(text) { return (bytes, "\"\(text)\"") }
    reject(
      key,
      "\(shown(key, text))is no size; a whole number with B, KiB, MiB or GiB, such as "
        + "\"64MiB\", would do")
    return nil
  }

  private mutating func check<T: Comparable>(
    _ key: String, _ value: T, _ text: String, _ range: ClosedRange<T>, _ ends: (String, String)
  ) -> Bool {
    if range.contains(value) { return true }
    let wanted = ends.0 == ends.1 ? "only \(ends.0)" : "\(ends.0) to \(ends.1)"
    reject(key, "\(text) is out of range; \(wanted) would do")
    return false
  }

  private mutating func value(
    _ key: String, _ type: TOMLType, _ wanted: String
  ) -> (any TOMLValueConvertible)? {
    guard isGiven(key), let value = table?[key] else { return nil }
    guard value.type == type else {
      reject(
        key,
        "is \(Self.described(value, isSecret: Showable.isSecret(path + [key]))), "
          + "but has to be \(wanted)")
      return nil
    }
    accepted.insert(Showable.path(path + [key]))
    return value
  }

  /// Type and value; of compound values, which may hold anything, the type alone.
  static func described(_ value: any TOMLValueConvertible, isSecret: Bool) -> String {
    let type: String
    var text: String?
    switch value.type {
    case .string: (type, text) = ("the string", value.string.map(UpstreamURL.displayed))
    case .int: (type, text) = ("the integer", value.int.map(String.init))
    case .double: (type, text) = ("the floating-point number", value.double.map { "\($0)" })
    case .bool: (type, text) = ("the boolean", value.bool.map(String.init))
    case .array: type = "an array"
    case .table: type = "a table"
    case .date, .time, .dateTime: type = "a date or time"
    }
    guard let text else { return type }
    if isSecret { return type.replacingPrefix("the", with: type == "the integer" ? "an" : "a") }
    return type + " " + (value.type == .string ? Showable.quoted(text) : text)
  }
}

extension String {
  fileprivate func replacingPrefix(_ prefix: String, with other: String) -> String {
    hasPrefix(prefix) ? other + dropFirst(prefix.count) : self
  }
}
