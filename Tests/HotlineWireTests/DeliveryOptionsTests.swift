import HotlineCore
import HotlineWire
import Testing

@Suite struct DeliveryOptionsTests {
  private func sample(
    _ hotline: String, limits: ClientMessage.Limits = .init()
  ) -> ClientMessageSample {
    ClientMessageSample(
      #"{"hotline":\#(hotline),"type":"response.create","request_id":1}"#, limits: limits)
  }

  private func options(_ hotline: String) -> DeliveryOptions? {
    sample(hotline).request?.options
  }

  @Test func emptyObjectLeavesTheDefaults() {
    #expect(options("{}") == DeliveryOptions())
    #expect(options(" { } ") == DeliveryOptions())
  }

  @Test func everyOptionIsTaken() {
    var expected = DeliveryOptions()
    expected.upstream = "other"
    expected.conversation = "c 1"
    expected.priority = .batch
    expected.events = .text
    expected.queueTimeout = .milliseconds(1)
    expected.timeout = .seconds(86_400)
    expected.resend = .unanswered
    expected.onHangup = .finish
    expected.tag = "nightly"
    let taken = options(
      #"{"upstream":"other","conversation":"c\u00201","priority":"batch","events":"text","#
        + #""queue_timeout_ms":1,"timeout_ms":86400000,"resend":"unanswered","on_hangup":"finish","#
        + #""t\u0061g":"nightly"}"#)
    #expect(taken == expected)
  }

  @Test func everyChoiceIsTaken() {
    #expect(options(#"{"priority":"interactive"}"#)?.priority == .interactive)
    #expect(options(#"{"priority":"b\u0061tch"}"#)?.priority == .batch)
    #expect(options("{}")?.priority == .interactive)
    #expect(options(#"{"events":"all"}"#)?.events == .all)
    #expect(options(#"{"events":"fin\u0061l"}"#)?.events == .final)
    #expect(options(#"{"resend":"never"}"#)?.resend == .never)
    #expect(options(#"{"on_hangup":"cancel"}"#)?.onHangup == .cancel)
  }

  @Test(arguments: ["[]", "null", "\"x\"", "5", "true"])
  func hotlineTakesAnObjectOnly(_ value: String) {
    #expect(sample(value).refused == "invalid_request hotline 1")
  }

  @Test(arguments: [
    ("upstream", ["5", "null", "{}"]),
    ("conversation", ["5", "null", "\"\"", "[\"x\"]"]),
    ("priority", ["\"BATCH\"", "\"high\"", "\"\"", "1", "null", "[\"batch\"]"]),
    ("events", ["\"none\"", "\"\"", "\"ALL\"", "\"all \"", "true", "null", "[\"all\"]"]),
    ("queue_timeout_ms", ["0", "-1", "1.0", "1e3", "\"1\"", "null", "86400001", "-0"]),
    ("timeout_ms", ["0", "-1", "5E3", "true", "86400001", "99999999999999999999999999", "[]"]),
    ("resend", ["\"always\"", "false", "\"unanswered!\"", "\"unansweredunanswered\""]),
    ("on_hangup", ["\"drop\"", "{}"]),
    ("tag", ["\"\"", "7", "null", #""\u0000""#, #""a\nb""#, "\"\u{7F}\"", #""\u0085""#]),
    ("tag", ["\"\u{80}\"", "\"\u{9F}\"", #""\ud800""#, #""\udfff""#]),
  ])
  func wrongValuesAreRefusedByName(_ name: String, _ values: [String]) {
    for value in values {
      let refused = sample(#"{"\#(name)":\#(value)}"#).refused
      #expect(refused == "invalid_request hotline.\(name) 1", "\(value)")
    }
  }

  @Test(arguments: ["a b", "é", "\u{A0}", "\u{FFFD}", "😀", "\u{D7FF}"])
  func tagsTakeAnyTextWithoutControls(_ tag: String) {
    #expect(options(#"{"tag":"\#(tag)"}"#)?.tag == ByteString(tag.utf8))
  }

  @Test(arguments: ["x", "é", #"\u00e9"#, #"\ud83d\ude00"#])
  func textsHaveALimitInCharacters(_ character: String) {
    for (name, max) in [("conversation", 128), ("tag", 64)] {
      let longest = String(repeating: character, count: max)
      #expect(options(#"{"\#(name)":"\#(longest)"}"#) != nil)
      let refused = sample(#"{"\#(name)":"\#(longest + character)"}"#).refused
      #expect(refused == "invalid_request hotline.\(name) 1")
    }
    let longest = String(repeating: character, count: 128)
    #expect(options(#"{"upstream":"\#(longest)"}"#) != nil)
    let refused = sample(#"{"upstream":"\#(longest + character)"}"#).refused
    #expect(refused == "unknown_upstream hotline.upstream 1")
  }

  @Test func limitsAreParameters() {
    var limits = ClientMessage.Limits()
    limits.tagCharactersMax = 1
    limits.conversationCharactersMax = 1
    limits.upstreamCharactersMax = 1
    limits.timeoutMillisecondsMax = 10
    for (name, longest, over) in [
      ("tag", "\"a\"", "\"ab\""), ("conversation", "\"a\"", "\"ab\""),
      ("upstream", "\"a\"", "\"ab\""), ("timeout_ms", "10", "11"),
      ("queue_timeout_ms", "10", "11"),
    ] {
      #expect(sample(#"{"\#(name)":\#(longest)}"#, limits: limits).request != nil)
      #expect(sample(#"{"\#(name)":\#(over)}"#, limits: limits).refusal != nil)
    }
  }

  @Test(arguments: [
    "upstream", "conversation", "priority", "events", "queue_timeout_ms", "timeout_ms", "resend",
    "on_hangup", "tag",
  ])
  func everyOptionStandsOnce(_ name: String) {
    let value =
      switch name {
      case "priority": "\"interactive\""
      case "events": "\"all\""
      case "queue_timeout_ms", "timeout_ms": "5"
      case "resend": "\"never\""
      case "on_hangup": "\"cancel\""
      default: "\"x\""
      }
    #expect(options(#"{"\#(name)":\#(value)}"#) != nil)
    let refused = sample(#"{"\#(name)":\#(value),"\#(name)":\#(value)}"#).refused
    #expect(refused == "invalid_request hotline.\(name) 1")
  }

  @Test func unknownOptionIsNamedAndTheKnownOnesListed() throws {
    let error = try #require(sample(#"{"timeout":5}"#).refusal)
    #expect(error.param == "hotline.timeout")
    #expect(error.detail.contains("timeout_ms"))
    let long = try #require(sample(#"{"\#(String(repeating: "x", count: 65))":5}"#).refusal)
    #expect(long.param == "hotline." + String(repeating: "x", count: 64) + "…")
  }

  @Test func wrongValueIsNamedInPartWithItsRemedy() throws {
    let number = try #require(sample(#"{"timeout_ms":0}"#).refusal)
    #expect(number.detail.contains("hotline.timeout_ms is 0;"))
    #expect(number.detail.contains("from 1 to 86400000"))
    let priority = try #require(sample(#"{"priority":"high"}"#).refusal)
    #expect(priority.detail.contains(#""interactive" or "batch""#))
    let longest = String(repeating: "x", count: 64)
    let events = try #require(sample(#"{"events":"\#(longest)yz"}"#).refusal)
    #expect(events.detail.contains("\"\(longest)…\""))
    #expect(!events.detail.contains("y"))
    #expect(events.detail.contains(#""all" or "text" or "final""#))
  }

  @Test func firstOfSeveralMistakesIsNamed() {
    #expect(sample(#"{"tag":5,"events":5}"#).refused == "invalid_request hotline.tag 1")
  }
}
