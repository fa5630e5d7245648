import HotlineCore
import HotlineWire
import Testing

@Suite struct ClientMessageRequestIDTests {
  private func id(_ spelling: String) -> RequestID? {
    guard case .cancel(let id, let range) = sample(spelling).message else { return nil }
    #expect(sample(spelling).text(range) == spelling)
    return id
  }

  private func sample(_ spelling: String) -> ClientMessageSample {
    ClientMessageSample(#"{"type":"response.cancel","request_id":\#(spelling)}"#)
  }

  @Test func stringsAreComparedDecoded() {
    #expect(id(#""a1""#) == .string("a1"))
    #expect(id(#""\u0061\u0031""#) == .string("a1"))
    #expect(id(#""\/""#) == .string("/"))
    #expect(id(#""\ud83d\uDE00""#) == .string("😀"))
    #expect(id(#""1""#) != id("1"))
  }

  @Test func canonicallyEquivalentStringsDiffer() {
    // é as one scalar, and as e with a combining acute accent.
    #expect(id(#""\u00e9""#) != id(#""e\u0301""#))
    #expect(id(#""\u00e9""#) == id("\"\u{E9}\""))
  }

  @Test func loneSurrogatesAreIDsOfTheirOwn() {
    #expect(id(#""\ud800""#) == .string(ByteString([0xED, 0xA0, 0x80])))
    #expect(id(#""\uDFFF""#) == .string(ByteString([0xED, 0xBF, 0xBF])))
    #expect(id(#""\ud800""#) != id(#""\ufffd""#))
  }

  @Test(arguments: ["x", "é", "😀", #"\u0041"#, #"\ud83d\ude00"#, #"\ud800"#, #"\n"#, "\u{301}"])
  func stringsHaveAtMost128Characters(_ character: String) {
    let longest = "\"" + String(repeating: character, count: 128) + "\""
    #expect(id(longest) != nil)
    let tooLong = "\"" + String(repeating: character, count: 129) + "\""
    #expect(sample(tooLong).refused == "invalid_request request_id null")
  }

  @Test func integersAreComparedByTheirDigits() {
    #expect(id("0") == .integer("0"))
    #expect(id("-0") == .integer("0"))
    #expect(id("12") == .integer("12"))
    #expect(id("-12") == .integer("-12"))
    #expect(id("9007199254740993") != id("9007199254740992"))
  }

  @Test func integersHaveAtMost20Digits() {
    let longest = String(repeating: "9", count: 20)
    #expect(id(longest) == .integer(ByteString(longest.utf8)))
    #expect(id("-" + longest) == .integer(ByteString("-\(longest)".utf8)))
    #expect(id("9" + longest) == nil)
    #expect(id("-9" + longest) == nil)
  }

  @Test(arguments: [
    #""""#, "1.0", "1e3", "1E3", "-1.5", "true", "false", "null", "[]", "{}", #"["a"]"#,
    "100000000000000000000000000000",
  ])
  func anythingElseIsRefusedWithoutAnID(_ spelling: String) {
    #expect(sample(spelling).refused == "invalid_request request_id null")
    for type in ["response.create", "response.steer", "hotline.ping", "hotline.status"] {
      let sample = ClientMessageSample(#"{"request_id":\#(spelling),"type":"\#(type)"}"#)
      #expect(sample.refused == "invalid_request request_id null")
    }
  }

  @Test func limitsAreParameters() {
    var limits = ClientMessage.Limits()
    limits.requestIDCharactersMax = 2
    limits.requestIDDigitsMax = 1
    func refused(_ id: String) -> Bool {
      ClientMessageSample(#"{"type":"hotline.ping","request_id":\#(id)}"#, limits: limits)
        .refusal != nil
    }
    #expect(!refused(#""ab""#))
    #expect(refused(#""abc""#))
    #expect(!refused("-5"))
    #expect(refused("15"))
  }

  @Test func repeatedIDIsNobodys() {
    let sample = ClientMessageSample(
      #"{"request_id":"a","type":"hotline.ping","\u0072equest_id":"a"}"#)
    #expect(sample.refused == "invalid_request request_id null")
  }
}
