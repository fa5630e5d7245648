import Fuzzing
import HotlineCore
import HotlineWire
import TestSupport
import Testing

@Suite struct JSONScannerTests {
  @Test(arguments: JSONCorpus.groups)
  func everyDocumentIsJudgedForItsReason(group: JSONCorpus.Group) {
    for document in group.documents {
      #expect(verdict(document)?.reason == group.refusal, "\(shown(document))")
      #expect(walkedVerdict(document) == verdict(document), "\(shown(document))")
    }
  }

  @Test(arguments: JSONCorpus.illFormed)
  func illFormedUTF8IsRefusedWhereverItStands(group: JSONCorpus.Group) {
    for document in group.documents {
      for padding in 0..<9 {
        var padded = document
        padded.insert(contentsOf: repeatElement(0x61, count: padding), at: 1)
        #expect(verdict(padded)?.reason == .utf8Invalid, "\(document)")
      }
    }
  }

  private func shown(_ document: [UInt8]) -> String {
    String(decoding: document.prefix(100), as: UTF8.self).debugDescription
  }

  @Test func corpusIsLargeAndItsReasonsAreAllThereAre() {
    let documents = JSONCorpus.groups.flatMap(\.documents)
    #expect(documents.count >= 500)
    #expect(Set(documents).count == documents.count, "a document stands twice")
    let reasons = Set(JSONCorpus.groups.compactMap(\.refusal))
    #expect(reasons == Set(JSONError.Reason.allCases))
    #expect(
      JSONCorpus.groups.allSatisfy { $0.why.first?.isNumber == true && !$0.documents.isEmpty })
  }

  @Test func errorPointsAtTheByteAtFault() {
    #expect(verdict(Array("[1,x]".utf8)) == JSONError(.literalInvalid, at: 3))
    #expect(verdict(Array("{\"a\" 1}".utf8)) == JSONError(.colonExpected, at: 5))
    #expect(verdict(Array("[\"a\u{1}\"]".utf8)) == JSONError(.controlCharacter, at: 3))
    #expect(verdict(Array("[1".utf8)) == JSONError(.documentEnds, at: 2))
    #expect(
      "\(JSONError(.colonExpected, at: 5))"
        == "a colon was expected after the member name (byte 5)")
    #expect(Set(JSONError.Reason.allCases.map(\.description)).count == 15)
  }

  @Test func membersAreFoundByTheirOffsets() throws {
    let document = Array(#" {"a":[1,{"b":"c\n"}], "\u0062": "x\/" , "c":-1.5e3} "#.utf8)
    try document.withUnsafeBytes { bytes in
      var scanner = JSONScanner(bytes)
      #expect(try scanner.peekKind() == .object)
      try scanner.enterObject()
      let first = try #require(try scanner.nextName())
      #expect(first.contents == 3..<4 && !first.hasEscapes)
      #expect(first.equals("a", in: bytes))
      let array = try scanner.skipValue()
      #expect(array.kind == .array && array.range == 6..<21)
      #expect(array.text == nil)
      let second = try #require(try scanner.nextName())
      #expect(second.hasEscapes && second.equals("b", in: bytes))
      #expect(try scanner.peekKind() == .string)
      #expect(try scanner.skipValue().text?.decoded(in: bytes) == "x/")
      #expect(try #require(try scanner.nextName()).equals("c", in: bytes))
      let number = try scanner.skipValue()
      #expect(number.kind == .number && number.range == 45..<51)
      #expect(try scanner.nextName() == nil)
      try scanner.finish()
      #expect(scanner.position == document.count)
    }
  }

  @Test func elementsAreWalkedThrough() throws {
    let document = Array("[1, [], \"a\" ,{}]".utf8)
    try document.withUnsafeBytes { bytes in
      var scanner = JSONScanner(bytes)
      var kinds: [JSONKind] = []
      try scanner.enterArray()
      while try scanner.nextElement() { kinds.append(try scanner.skipValue().kind) }
      try scanner.finish()
      #expect(kinds == [.number, .array, .string, .object])
    }
  }

  @Test func enteringWhatIsNoObjectIsAnError() {
    let document = Array(" []".utf8)
    _ = document.withUnsafeBytes { bytes in
      #expect(throws: JSONError(.valueExpected, at: 1)) {
        var scanner = JSONScanner(bytes)
        try scanner.enterObject()
      }
    }
  }

  @Test(arguments: [1, 2, 63, 64, 65, 127, 128, 129, 192, 512, 1000])
  func depthIsTakenUpToItsLimitAndNotBeyond(depthMax: Int) {
    for isObject in [false, true] {
      func nested(_ depth: Int) -> [UInt8] {
        let opening = isObject ? "{\"a\":" : "["
        let inner = isObject ? "{}" : "[]"
        let closing = isObject ? "}" : "]"
        let document =
          String(repeating: opening, count: depth - 1) + inner
          + String(repeating: closing, count: depth - 1)
        return Array(document.utf8)
      }
      #expect(verdict(nested(depthMax), depthMax: depthMax) == nil)
      #expect(verdict(nested(depthMax + 1), depthMax: depthMax)?.reason == .depthExceeded)
      #expect(walkedVerdict(nested(depthMax), depthMax: depthMax) == nil)
      #expect(walkedVerdict(nested(depthMax + 1), depthMax: depthMax)?.reason == .depthExceeded)
    }
  }

  @Test func mixedNestingIsRememberedBeyondOneWord() {
    var random = SplitMix64(seed: 7)
    for _ in 0..<50 {
      let areObjects = (0..<300).map { _ in random.oneIn(2) }
      let opening = areObjects.map { $0 ? "{\"a\":" : "[" }.joined()
      var closing = areObjects.reversed().map { $0 ? "}" : "]" }
      #expect(verdict(Array((opening + "1" + closing.joined()).utf8), depthMax: 300) == nil)
      let wrong = random.below(300)
      closing[wrong] = closing[wrong] == "]" ? "}" : "]"
      #expect(verdict(Array((opening + "1" + closing.joined()).utf8), depthMax: 300) != nil)
    }
  }

  @Test func aFloodOfBracketsEndsAtTheDepthLimit() {
    let document = [UInt8](repeating: UInt8(ascii: "["), count: 64 << 20)
    #expect(verdict(document, depthMax: 512) == JSONError(.depthExceeded, at: 512))
  }

  @Test func everyTruncationOfAContainerIsAnError() {
    var generator = JSONGenerator(seed: 11)
    for _ in 0..<200 {
      let document = [UInt8(ascii: "[")] + generator.valid() + [UInt8(ascii: "]")]
      #expect(verdict(document) == nil)
      for count in 0..<document.count {
        #expect(verdict(Array(document[..<count])) != nil)
      }
    }
  }

  /// Memory of exactly the document's size, so that a read beyond it can be seen.
  @Test(arguments: 0..<4)
  func mutatedBytesNeverLeadOutOfBounds(seed: UInt64) {
    var generator = JSONGenerator(seed: 1000 + seed)
    for _ in 0..<5000 {
      var document = generator.valid(depth: 3)
      for _ in 0...generator.random.below(8) { generator.mutate(&document) }
      let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: document.count, alignment: 1)
      memory.copyBytes(from: document)
      let error = verdict(UnsafeRawBufferPointer(memory))
      if let error { #expect(error.offset >= 0 && error.offset <= document.count) }
      memory.deallocate()
    }
  }

  @Test func randomBytesAreJudgedLikeStringDoes() {
    var random = SplitMix64(seed: 5)
    let pool: [UInt8] = [0x41, 0x7F, 0x80, 0xBF, 0xC2, 0xDF, 0xE0, 0xED, 0xEF, 0xF0, 0xF4, 0xF5]
    for _ in 0..<20_000 {
      let bytes = (0..<random.below(12)).map { _ in
        random.oneIn(3) ? UInt8(random.below(256)) : pool[random.below(pool.count)]
      }
      let isValid = bytes.withUnsafeBytes { UTF8Sequence.isValid($0) }
      #expect(isValid == (String(validating: bytes, as: UTF8.self) != nil))
    }
  }
}
