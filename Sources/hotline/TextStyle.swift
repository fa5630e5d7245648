import Glibc

/// How words are set off on a terminal (ECMA-48, 8.3.117), if at all.
struct TextStyle: Hashable {
  enum Emphasis: String {
    case strong = "1"
    case good = "32"
    case doubtful = "33"
    case bad = "31"
  }

  let isOn: Bool

  static let plain = TextStyle(isOn: false)

  /// For what is written to a descriptor: plain unless that is a terminal which can show more, and
  /// where `NO_COLOR` is set to anything (no-color.org).
  init(for descriptor: Int32) {
    let isUnwanted = Self.variable("NO_COLOR") != nil
    let terminal = Self.variable("TERM")
    self.init(
      isOn: isatty(descriptor) == 1 && !isUnwanted && terminal != nil && terminal != "dumb")
  }

  private init(isOn: Bool) {
    self.isOn = isOn
  }

  /// `nil` too where it is empty.
  private static func variable(_ name: String) -> String? {
    getenv(name).flatMap { $0.pointee == 0 ? nil : String(cString: $0) }
  }

  func apply(_ emphasis: Emphasis, _ text: String) -> String {
    isOn ? "\u{1B}[\(emphasis.rawValue)m\(text)\u{1B}[0m" : text
  }
}
