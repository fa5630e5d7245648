/// Makes text harmless for a terminal and for a log of lines.
package enum LogText {
  /// The text with every control character (C0, DEL, C1) and every line or paragraph separator
  /// written `\xNN`, byte by byte, and those too that turn the direction of what follows.
  ///
  /// Any thread. A backslash of the text itself stays as it is: this is for reading, not for
  /// parsing back.
  package static func sanitized(_ text: String) -> String {
    sanitized(text.utf8)
  }

  /// The bytes as text, control characters and every byte that is not UTF-8 written `\xNN`.
  package static func sanitized(_ bytes: some Collection<UInt8>) -> String {
    if bytes.allSatisfy({ 0x20...0x7E ~= $0 }) { return String(decoding: bytes, as: UTF8.self) }
    var text = ""
    var parser = Unicode.UTF8.ForwardParser()
    var iterator = bytes.makeIterator()
    var rest = bytes[...]
    while true {
      switch parser.parseScalar(from: &iterator) {
      case .emptyInput:
        return text
      case .error(let length):
        appendEscaped(rest.prefix(length), to: &text)
        rest = rest.dropFirst(length)
      case .valid(let encoded):
        let character = String(decoding: encoded, as: UTF8.self)
        if character.unicodeScalars.allSatisfy(isHarmless) {
          text += character
        } else {
          appendEscaped(rest.prefix(encoded.count), to: &text)
        }
        rest = rest.dropFirst(encoded.count)
      }
    }
  }

  private static func isHarmless(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .lineSeparator, .paragraphSeparator: false
    // Right to left, overrides, isolates (Unicode Standard Annex 9).
    case .format: !(0x202A...0x202E ~= scalar.value || 0x2066...0x2069 ~= scalar.value)
    default: true
    }
  }

  /// At most `bytesMax` bytes of the text with an ellipsis as the last, cut between characters.
  static func cut(_ text: String, bytesMax: Int) -> String {
    guard text.utf8.count > bytesMax else { return text }
    let mark = "…"
    var bytes = Array(text.utf8.prefix(max(0, bytesMax - mark.utf8.count)))
    while let last = bytes.last, last & 0xC0 == 0x80 { bytes.removeLast() }
    if let last = bytes.last, last >= 0xC0 { bytes.removeLast() }
    return String(decoding: bytes, as: UTF8.self) + mark
  }

  /// At most `charactersMax` characters of the text, sanitised, with an ellipsis if some are left
  /// out.
  package static func excerpt(_ text: String, charactersMax: Int) -> String {
    let head = sanitized(String(text.prefix(max(charactersMax, 0))))
    return text.count > charactersMax ? head + "…" : head
  }

  /// A path as it can be pasted into a shell, sanitised.
  package static func shellQuoted(_ path: String) -> String {
    let plain = path.utf8.allSatisfy {
      switch $0 {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "/"), UInt8(ascii: "."),
        UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "@"):
        true
      default:
        false
      }
    }
    if plain, !path.isEmpty { return path }
    let inner = path.split(separator: "'", omittingEmptySubsequences: false)
    return "'" + sanitized(inner.joined(separator: "'\\''")) + "'"
  }

  private static func appendEscaped(_ bytes: some Sequence<UInt8>, to text: inout String) {
    for byte in bytes {
      let digits = String(byte, radix: 16, uppercase: true)
      text += (digits.utf8.count == 1 ? "\\x0" : "\\x") + digits
    }
  }
}
