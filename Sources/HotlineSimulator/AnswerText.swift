/// The pieces of an answer's text: the request's own words, so that a reader sees whose answer it
/// is.
///
/// A request that holds `mark=XYZ` gets XYZ in every piece.
struct AnswerText {
  private static let wordsMax = 64

  let mark: String?
  let count: Int
  private let words: [Substring]
  private let pieceBytes: Int?
  private let isJSON: Bool

  /// - Parameters:
  ///   - count: number of pieces; nil: one for each of the request's words, 64 at most.
  ///   - pieceBytes: bytes of each piece; more only where the mark or JSON's frame needs more.
  ///   - isJSON: the pieces together are an object with the one member `answer`.
  init(answering text: Substring, count: Int?, pieceBytes: Int?, isJSON: Bool) {
    let said = FaultPlan.withoutMarker(text)
    let found = said.split(maxSplits: Self.wordsMax, whereSeparator: \.isWhitespace)
    words = found.isEmpty ? ["nothing"] : Array(found.prefix(Self.wordsMax))
    mark = Self.mark(in: text)
    // JSON needs a piece that opens and one that closes.
    self.count = max(isJSON ? 2 : 0, count ?? words.count + 1)
    self.pieceBytes = pieceBytes
    self.isJSON = isJSON
  }

  /// What follows `mark=` in a request's text: letters, digits and hyphens.
  static func mark(in text: Substring) -> String? {
    text.firstRange(of: "mark=").map { range in
      String(text[range.upperBound...].prefix { $0.isLetter || $0.isNumber || $0 == "-" })
    }
  }

  /// Piece `index` of ``count``.
  func piece(_ index: Int) -> String {
    var text = index == 0 ? "Echo:" : String(words[(index - 1) % words.count])
    if let mark, !text.contains(mark) { text += "[\(mark)]" }
    if index > 0 { text = " " + text }
    if let pieceBytes {
      if text.utf8.count > pieceBytes { text = mark.map { "[\($0)]" } ?? "" }
      let missing = pieceBytes - text.utf8.count
      if missing > 0 { text += String(repeating: "x", count: missing) }
    }
    guard isJSON else { return text }
    let inner = JSONText.quoted(text).dropFirst().dropLast()
    if index == 0 { return #"{"answer":""# + inner }
    return index == count - 1 ? inner + #""}"# : String(inner)
  }
}
