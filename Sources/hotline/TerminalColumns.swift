/// How much room text takes on a terminal.
extension String {
  /// Columns; a character of East Asian scripts, or a picture, takes two.
  var columns: Int { reduce(0) { $0 + $1.columns } }

  /// The text itself, or as much of it as fits into so many columns with an ellipsis behind it.
  func cut(toColumns columnsMax: Int) -> String {
    guard columns > columnsMax else { return self }
    var room = columnsMax - 1
    let kept = prefix { character in
      room -= character.columns
      return room >= 0
    }
    return kept + "…"
  }

  /// The text with spaces behind it.
  func padded(toColumns columnsMin: Int) -> String {
    self + String(repeating: " ", count: Swift.max(0, columnsMin - columns))
  }
}

extension Character {
  /// Unicode Standard Annex 11: what is wide or full-width takes two columns. What combines with
  /// the character before it is a part of that.
  fileprivate var columns: Int {
    guard let scalar = unicodeScalars.first, !isASCII else { return 1 }
    let isWide = Self.wide.contains { $0.contains(scalar.value) }
    return isWide || scalar.properties.isEmojiPresentation ? 2 : 1
  }

  /// Blocks all of which is wide, without those of a few characters.
  private static let wide: [ClosedRange<UInt32>] = [
    0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x4DBF, 0x4E00...0xA4CF, 0xA960...0xA97F,
    0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF01...0xFF60, 0xFFE0...0xFFE6,
    0x2_0000...0x3_FFFD,
  ]
}
