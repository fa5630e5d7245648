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

extension PrintableText {
  /// One JSON text in which DEL and C1 are escaped; C0 are by themselves.
  static func json(_ text: UnsafeRawBufferPointer) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(text.count)
    var at = 0
    while at < text.count {
      let isLong = text[at] == 0xC2 && at + 1 < text.count && text[at + 1] < 0xA0
      let value = isLong ? text[at + 1] : text[at]
      if isLong || value == 0x7F {
        result += Array("\\u00\(String(value, radix: 16))".utf8)
      } else {
        result.append(value)
      }
      at += isLong ? 2 : 1
    }
    return result
  }
}
