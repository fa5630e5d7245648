import Foundation
import Fuzzing
import HotlineWire
import TestSupport
import Testing

/// Foundation's JSONSerialization as the oracle of what is JSON: 120,000 generated documents, each
/// difference on a list with the clause of RFC 8259 that decides it.
@Suite struct FoundationComparisonTests {
  /// One way in which the two differ on purpose.
  struct Difference: Sendable {
    let name: String
    /// What RFC 8259 says of it.
    let clause: String
    /// The document with this cause taken out; nil if it is not the cause.
    let neutralised: @Sendable (_ document: [UInt8], _ own: JSONError?) -> [UInt8]?
  }

  static let differences = [
    Difference(
      name: "lone surrogate escapes are accepted; Foundation refuses them",
      clause: "8.2: the ABNF allows strings that cannot encode Unicode characters",
      neutralised: { document, own in own == nil ? withoutLoneSurrogate(document) : nil }),
    Difference(
      name: "numbers of any size are accepted; Foundation refuses what no Double can hold",
      clause: "6: the grammar sets no limit to range or precision",
      neutralised: { document, own in own == nil ? withoutInfiniteNumber(document) : nil }),
    Difference(
      name: "a byte order mark is refused; Foundation skips it",
      clause: "8.1: MUST NOT be added; parsers MAY ignore it rather than treating it as an error",
      neutralised: { document, own in
        own?.reason == .byteOrderMark ? Array(document.dropFirst(3)) : nil
      }),
    Difference(
      name: "a comma before ] or } is refused; Foundation takes it",
      clause: "4, 5: a value-separator stands only between members, between values",
      neutralised: { document, own in own.flatMap { withoutLastComma(document, $0) } }),
    Difference(
      name: "UTF-16 and UTF-32 are refused; Foundation guesses them from NUL bytes and marks",
      clause: "8.1: MUST be encoded using UTF-8",
      neutralised: { document, own in own != nil && isOtherEncoding(document) ? [] : nil }),
  ]

  @Test(arguments: 0..<8)
  func agreesWithFoundationButForTheListedDifferences(seed: UInt64) throws {
    var generator = JSONGenerator(seed: seed)
    var agreedCount = 0
    for index in 0..<15_000 {
      let isValid = index % 4 == 0
      var document = isValid ? generator.valid() : generator.mutated()
      if isValid { #expect(verdict(document) == nil) }
      #expect(walkedVerdict(document) == verdict(document), "the cursor and skipping differ")
      while true {
        let own = verdict(document, depthMax: 512)
        if Self.foundationAccepts(document) == (own == nil) { break }
        let causes = Self.differences.lazy.compactMap { $0.neutralised(document, own) }
        guard let neutralised = causes.first else {
          Issue.record("seed \(seed), document \(index): \(document), own verdict \(own as Any)")
          return
        }
        document = neutralised
      }
      agreedCount += 1
    }
    #expect(agreedCount == 15_000)
  }

  @Test func everyListedDifferenceExists() {
    let documents: [[UInt8]] = [
      Array(#""\ud800""#.utf8), Array("1e999".utf8), [0xEF, 0xBB, 0xBF, 0x31],
      Array(#"[{"a":1,},]"#.utf8), [0x31, 0x00],
    ]
    for (difference, document) in zip(Self.differences, documents) {
      let own = verdict(document)
      #expect(Self.foundationAccepts(document) != (own == nil), "\(difference.name)")
      #expect(difference.neutralised(document, own) != nil, "\(difference.name)")
    }
    #expect(documents.count == Self.differences.count)
  }

  @Test(arguments: [1, 63, 64, 65, 128, 511, 512, 513, 514])
  func agreesWithFoundationOnDepth(depth: Int) {
    let opening = [UInt8](repeating: UInt8(ascii: "["), count: depth)
    let document = opening + [UInt8](repeating: UInt8(ascii: "]"), count: depth)
    #expect(Self.foundationAccepts(document) == (verdict(document, depthMax: 512) == nil))
  }

  private static func foundationAccepts(_ document: [UInt8]) -> Bool {
    let data = Data(document)
    return (try? JSONSerialization.jsonObject(with: data, options: .fragmentsAllowed)) != nil
  }

  /// Replaces the surrogate escapes that have no partner; nil if there are none.
  private static func withoutLoneSurrogate(_ document: [UInt8]) -> [UInt8]? {
    var result = document
    var index = 0
    while index < document.count {
      guard document[index] == UInt8(ascii: "\\") else {
        index += 1
        continue
      }
      let unit = escapedUnit(document, at: index)
      let next = escapedUnit(document, at: index + 6)
      if let unit, let next, UTF16.isLeadSurrogate(unit), UTF16.isTrailSurrogate(next) {
        index += 12
      } else if let unit {
        if UTF16.isSurrogate(unit) {
          result.replaceSubrange(index + 2..<index + 6, with: "0041".utf8)
        }
        index += 6
      } else {
        index += 2
      }
    }
    return result == document ? nil : result
  }

  private static func escapedUnit(_ document: [UInt8], at index: Int) -> UInt16? {
    guard index + 6 <= document.count, document[index] == UInt8(ascii: "\\"),
      document[index + 1] == UInt8(ascii: "u")
    else { return nil }
    return UInt16(String(decoding: document[index + 2..<index + 6], as: UTF8.self), radix: 16)
  }

  /// Replaces the first number outside strings that is infinite as a Double.
  private static func withoutInfiniteNumber(_ document: [UInt8]) -> [UInt8]? {
    var index = 0
    var isInString = false
    while index < document.count {
      let byte = document[index]
      if byte == UInt8(ascii: "\\") { index += 1 }
      if byte == UInt8(ascii: "\"") { isInString.toggle() }
      let token = document[index...].prefix { "+-.eE0123456789".utf8.contains($0) }
      if !isInString, !token.isEmpty {
        if Double(String(decoding: token, as: UTF8.self))?.isInfinite == true {
          var result = document
          result.replaceSubrange(token.indices, with: [0x30])
          return result
        }
        index = token.endIndex
      } else {
        index += 1
      }
    }
    return nil
  }

  /// Takes out the comma before the `]` or `}` that was at fault.
  private static func withoutLastComma(_ document: [UInt8], _ error: JSONError) -> [UInt8]? {
    let closing = UInt8(ascii: error.reason == .nameExpected ? "}" : "]")
    guard error.reason == .valueExpected || error.reason == .nameExpected,
      error.offset < document.count, document[error.offset] == closing,
      let before = document[..<error.offset].lastIndex(where: { !" \t\n\r".utf8.contains($0) }),
      document[before] == UInt8(ascii: ",")
    else { return nil }
    var result = document
    result.remove(at: before)
    return result
  }

  private static func isOtherEncoding(_ document: [UInt8]) -> Bool {
    document.prefix(4).contains(0) || document.starts(with: [0xFE, 0xFF])
      || document.starts(with: [0xFF, 0xFE])
  }
}
