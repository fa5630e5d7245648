/// Text from elsewhere, made fit for a terminal: no control character (C0, DEL, C1) reaches it.
enum PrintableText {
  static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value)
  }

  /// `text` as one line: each run of control characters becomes one space.
  static func line(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: isControl) else { return text }
    let words = text.unicodeScalars.split(whereSeparator: isControl)
    return words.map { String($0) }.joined(separator: " ")
  }
}
