import Testing

@testable import HotlineTransport

struct SecretRedactorTests {
  private let key = "sk-proj-0123456789abcdefghij"
  private var redactor: SecretRedactor { SecretRedactor([Array(key.utf8)]) }

  private func shown(_ text: String, bytesMax: Int = .max) -> String {
    redactor.show(text.utf8, bytesMax: bytesMax)
  }

  @Test func wholeSecretIsStruckOutInAnyCase() {
    #expect(shown("key \(key) is wrong") == "key *** is wrong")
    #expect(shown("\(key.uppercased())") == "***")
    #expect(shown("\(key)\(key)!") == "***!")
    #expect(shown("nothing here") == "nothing here")
  }

  @Test func secretCutAtAnyOffsetLeavesLessThanFourBytes() {
    for count in 0...key.utf8.count {
      let text = "you sent " + key.prefix(count)
      let expected = count < 4 ? text : "you sent ***"
      #expect(shown(text) == expected)
    }
  }

  @Test func pieceFromWithinIsStruckOutFromEightBytesOn() {
    #expect(shown("[6789abcd]") == "[***]")
    #expect(shown("[6789abc]") == "[6789abc]")
    #expect(shown("[3456789abcdefghij]") == "[***]")
  }

  @Test func secretAcrossTheCutIsStruckOutForItWasSeenWhole() {
    for cut in 0...60 {
      let text = "twelve bytes" + key + "and so it goes on"
      let result = shown(text, bytesMax: cut)
      for start in key.indices {
        let piece = key[start...].prefix(4)
        #expect(piece.count < 4 || !result.contains(piece), "cut at \(cut): \(result)")
      }
      #expect(result.contains("***") == (cut > 12))
    }
  }

  @Test func overlappingSecretsAreStruckOutTogether() {
    let redactor = SecretRedactor([Array("abcdef".utf8), Array("defghi".utf8)])
    #expect(redactor.show("xabcdefghix".utf8) == "x***x")
  }

  @Test func secretsShorterThanFourBytesAreNone() {
    #expect(SecretRedactor([Array("v1x".utf8)]).show("v1x".utf8) == "v1x")
    #expect(SecretRedactor([Array("v1xy".utf8)]).show("v1xy".utf8) == "***")
  }

  @Test func whatIsNoTextIsShownInHexadecimal() {
    #expect(visibleText([0x61, 0x00, 0x0A, 0x1B, 0x7F, 0x62]) == #"a\x00\x0A\x1B\x7Fb"#)
    #expect(visibleText([0xFF, 0xC3, 0xA9, 0xC3]) == #"\xFFé\xC3"#)
    #expect(
      visibleText(Array("\u{85}\u{202E}\u{2028}".utf8)) == #"\xC2\x85\xE2\x80\xAE\xE2\x80\xA8"#)
    #expect(visibleText(Array("日本 😀".utf8)) == "日本 😀")
  }

  @Test func cutFallsBetweenCharacters() {
    let none = SecretRedactor([])
    let text = Array("aé日😀".utf8)
    #expect(
      (0...text.count).map { none.show(text, bytesMax: $0) } == [
        "", "a", "a", "aé", "aé", "aé", "aé日", "aé日", "aé日", "aé日", "aé日😀",
      ])
    #expect(none.show([0x80, 0x80, 0x80, 0x80, 0x80], bytesMax: 1) == #"\x80"#)
  }

  @Test func onlySecretHeadersAreSecretAndOfCredentialsNotTheScheme() throws {
    let redactor = SecretRedactor(headers: [
      try UpgradeHeader("Authorization", "Bearer \(key)", isSecret: true),
      try UpgradeHeader("api-key", "azure0123", isSecret: true),
      try UpgradeHeader("OpenAI-Beta", "realtime=v1", isSecret: false),
    ])
    #expect(
      redactor.show("Bearer \(key), azure0123, realtime=v1".utf8)
        == "Bearer ***, ***, realtime=v1")
  }
}
