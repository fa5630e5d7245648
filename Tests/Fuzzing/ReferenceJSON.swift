/// The grammar of RFC 8259 written down once more, as plainly as it goes and with nothing of the
/// scanner in it: what one of the two accepts the other must.
///
/// Recursive and slow; for small documents.
package struct ReferenceJSON {
  private var rest: ArraySlice<UInt8>
  private let depthMax: Int

  /// Whether `document` is one JSON text with at most `depthMax` containers within one another.
  package static func accepts(_ document: [UInt8], depthMax: Int = 64) -> Bool {
    guard String(validating: document, as: UTF8.self) != nil else { return false }
    var reader = ReferenceJSON(rest: document[...], depthMax: depthMax)
    return reader.text()
  }

  private mutating func text() -> Bool {
    value(depth: 0) && rest.isEmpty
  }

  private mutating func space() {
    rest = rest.drop { $0 == 0x20 || $0 == 0x09 || $0 == 0x0A || $0 == 0x0D }
  }

  /// Consumes `byte` if it is the next one.
  private mutating func take(_ byte: Character) -> Bool {
    guard let ascii = byte.asciiValue, rest.first == ascii else { return false }
    rest.removeFirst()
    return true
  }

  private mutating func value(depth: Int) -> Bool {
    space()
    defer { space() }
    if take("{") { return members(depth: depth + 1) }
    if take("[") { return elements(depth: depth + 1) }
    if take("\"") { return string() }
    for literal in ["true", "false", "null"] where rest.starts(with: literal.utf8) {
      rest.removeFirst(literal.utf8.count)
      return true
    }
    return number()
  }

  private mutating func members(depth: Int) -> Bool {
    guard depth <= depthMax else { return false }
    space()
    if take("}") { return true }
    repeat {
      space()
      guard take("\""), string() else { return false }
      space()
      guard take(":"), value(depth: depth) else { return false }
    } while take(",")
    return take("}")
  }

  private mutating func elements(depth: Int) -> Bool {
    guard depth <= depthMax else { return false }
    space()
    if take("]") { return true }
    repeat {
      guard value(depth: depth) else { return false }
    } while take(",")
    return take("]")
  }

  /// What follows an opening quote.
  private mutating func string() -> Bool {
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "\"") { return true }
      if byte < 0x20 { return false }
      guard byte == UInt8(ascii: "\\") else { continue }
      guard let letter = rest.popFirst() else { return false }
      if letter == UInt8(ascii: "u") {
        let digits = rest.prefix(4)
        guard digits.count == 4, digits.allSatisfy(isHexDigit) else { return false }
        rest.removeFirst(4)
      } else if !"\"\\/bfnrt".utf8.contains(letter) {
        return false
      }
    }
    return false
  }

  private func isHexDigit(_ byte: UInt8) -> Bool {
    "0123456789abcdefABCDEF".utf8.contains(byte)
  }

  private mutating func number() -> Bool {
    _ = take("-")
    if !take("0"), !digits() { return false }
    if take("."), !digits() { return false }
    if take("e") || take("E") {
      if !take("+") { _ = take("-") }
      return digits()
    }
    return true
  }

  /// At least one digit.
  private mutating func digits() -> Bool {
    let count = rest.prefix { $0 >= 0x30 && $0 <= 0x39 }.count
    rest.removeFirst(count)
    return count > 0
  }
}
