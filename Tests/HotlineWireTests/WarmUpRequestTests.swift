import HotlineCore
import HotlineWire
import Testing

@Suite struct WarmUpRequestTests {
  private func sent(_ text: String, _ dialect: UpstreamDialect, lane: Int? = nil) throws -> String {
    let warmUp = try WarmUpRequest(text.utf8)
    let message = try dialect.message(for: warmUp.body, lane: lane)
    return warmUp.line.withUnsafeBytes { String(decoding: message.bytes(of: $0), as: UTF8.self) }
  }

  @Test func itsMembersAreSentAsTheyStand() throws {
    let text = "  {\"model\" : \"m\",\n\"tools\":[ {\"a\":1.0} ] , \"x\\u0079\":null }\n"
    let kept =
      "\"generate\":false,\"model\" : \"m\",\n\"tools\":[ {\"a\":1.0} ] , \"x\\u0079\":null "
    let flat = UpstreamDialect(envelope: .flat, forcesStoreFalse: false)
    #expect(try sent(text, flat) == "{\"type\":\"response.create\",\(kept)}")
    let nested = UpstreamDialect(envelope: .nested, forcesStoreFalse: false)
    #expect(try sent(text, nested) == "{\"type\":\"response.create\",\"response\":{\(kept)}}")
    #expect(
      try sent(text, flat, lane: 0)
        == "{\"type\":\"response.create\",\"stream_id\":\"lane-1\",\(kept)}")
    #expect(try WarmUpRequest(text.utf8).model == "m")
    #expect(try WarmUpRequest(text.utf8).byteCount == text.utf8.count)
  }

  @Test(arguments: ["{}", " { } "])
  func whatIsMissingIsFilledInAsForAnyRequest(text: String) throws {
    let dialect = UpstreamDialect(defaultModel: "m", defaultInstructions: "Be brief.")
    #expect(
      try sent(text, dialect)
        == #"{"type":"response.create","response":{"generate":false,"store":false,"model":"m","#
        + #""instructions":"Be brief."}}"#)
    #expect(try WarmUpRequest(text.utf8).model == nil)
  }

  @Test(arguments: [
    ("", "is not valid JSON"), ("{", "is not valid JSON"), ("{} {}", "is not valid JSON"),
    ("{\"a\":01}", "is not valid JSON"), ("[1]", "is no JSON object"), ("5", "is no JSON object"),
    ("{\"type\":\"response.create\"}", "has a member type"),
    ("{\"request_id\":1}", "has a member request_id"),
    ("{\"hotline\":{}}", "has a member hotline"), ("{\"event_id\":1}", "has a member event_id"),
    ("{\"stream\":true}", "has a member stream"),
    ("{\"stream_options\":{}}", "has a member stream_options"),
    ("{\"stream_id\":\"x\"}", "has a member stream_id"),
    ("{\"background\":false}", "has a member background"),
    ("{\"response\":{}}", "has a member response"),
    ("{\"generate\":true}", "has a member generate"),
    ("{\"g\\u0065nerate\":false}", "has a member generate"),
    ("{\"previous_response_id\":\"r\"}", "has a member previous_response_id"),
    ("{\"conversation\":\"c\"}", "has a member conversation"),
    ("{\"model\":\"m\",\"model\":\"canary\"}", "model stands more than once"),
  ])
  func whatIsNoWarmUpSaysWhy(text: String, problem: String) {
    let error = #expect(throws: WarmUpRequest.Problem.self) { try WarmUpRequest(text.utf8) }
    #expect(error?.explanation.contains(problem) == true, "\(error?.explanation ?? "none")")
    #expect(error?.explanation.contains("canary") == false)
  }
}
