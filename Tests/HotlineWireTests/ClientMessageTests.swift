import HotlineCore
import HotlineWire
import Testing

@Suite struct ClientMessageTests {
  @Test func nestedRequestIsReadWhole() throws {
    let sample = ClientMessageSample(
      #"{"type":"response.create","request_id":"a1","response":{"model":"m","input":"Hello!"}}"#)
    let request = try #require(sample.request)
    #expect(request.id == .string("a1"))
    #expect(request.idSpelling.map(sample.text) == #""a1""#)
    #expect(request.options == DeliveryOptions())
    #expect(request.previousResponseID == nil)
    #expect(request.promptCacheKey == nil)
    #expect(request.body.envelope == .nested)
    #expect(request.body.kept.map(sample.text) == [#""model":"m","input":"Hello!""#])
    #expect(request.body.hasModel)
    #expect(!request.body.hasInstructions)
    #expect(request.body.store == .missing)
    #expect(!request.body.isEmpty)
  }

  @Test func flatRequestIsReadWhole() throws {
    let sample = ClientMessageSample(
      #"{"type":"response.create","request_id":7,"hotline":{"events":"final"},"model":null,"#
        + #""instructions":"i","store":null,"previous_response_id":"resp_\u0031","#
        + #""prompt_cache_key":"k","input":"Hello!","stream":true}"#)
    let request = try #require(sample.request)
    #expect(request.id == .integer("7"))
    #expect(request.idSpelling.map(sample.text) == "7")
    #expect(request.options.events == .final)
    #expect(request.previousResponseID == "resp_1")
    #expect(request.promptCacheKey == "k")
    #expect(request.body.envelope == .flat)
    #expect(
      request.body.kept.map(sample.text) == [
        #""model":null,"instructions":"i","store":null,"previous_response_id":"resp_\u0031","#
          + #""prompt_cache_key":"k","input":"Hello!""#
      ])
    #expect(request.body.hasModel)
    #expect(request.body.hasInstructions)
    guard case .null(let range) = request.body.store else {
      Issue.record("store is \(request.body.store)")
      return
    }
    #expect(sample.text(range) == "null")
  }

  @Test func typeMayStandLastAndNamesMayBeEscaped() throws {
    let sample = ClientMessageSample(
      #"{"\u0072esponse":{"\u006dodel":"m"},"request\u005fid":"a","#
        + #""\u0074ype":"response\u002ecreate"}"#)
    let request = try #require(sample.request)
    #expect(request.id == .string("a"))
    #expect(request.body.hasModel)
    #expect(request.body.kept.map(sample.text) == [#""\u006dodel":"m""#])
  }

  @Test func requestWithoutIDHasNone() throws {
    let request = try #require(ClientMessageSample(#"{"type":"response.create"}"#).request)
    #expect(request.id == nil)
    #expect(request.idSpelling == nil)
    #expect(request.body.isEmpty)
    #expect(request.body.envelope == .flat)
  }

  @Test func whiteSpaceAndCarriageReturnAroundTheObjectAreTaken() {
    let sample = ClientMessageSample(" \t{ \"type\" : \"hotline.ping\" } \r")
    #expect(sample.message == .ping(echo: nil))
  }

  @Test func cancelNamesItsRequest() {
    let sample = ClientMessageSample(
      #"{"type":"response.cancel","request_id":"\u0061","response_id":5,"x":[],"x":{}}"#)
    #expect(sample.message == .cancel(.string("a"), spelling: 39..<47))
    #expect(sample.text(39..<47) == #""\u0061""#)
  }

  @Test func pingAndStatusEchoTheSpelling() {
    let ping = ClientMessageSample(#"{"type":"hotline.ping","request_id":-0}"#)
    #expect(ping.message == .ping(echo: 36..<38))
    #expect(ping.text(36..<38) == "-0")
    let status = ClientMessageSample(#"{"request_id":"s","type":"hotline.status"}"#)
    #expect(status.message == .status(echo: 14..<17))
    #expect(ClientMessageSample(#"{"type":"hotline.status"}"#).message == .status(echo: nil))
    let stats = ClientMessageSample(#"{"type":"hotline.stats","request_id":12}"#)
    #expect(stats.message == .stats(echo: 37..<39))
  }

  @Test func drainAndReloadEchoTheSpelling() {
    let drain = ClientMessageSample(#"{"request_id":"\u0064","type":"hotline.drain"}"#)
    #expect(drain.message == .drain(echo: 14..<22))
    #expect(drain.text(14..<22) == #""\u0064""#)
    #expect(ClientMessageSample(#"{"type":"hotline.drain"}"#).message == .drain(echo: nil))
    let reload = ClientMessageSample(#"{"type":"hotline.reload","request_id":7,"x":1}"#)
    #expect(reload.message == .reload(echo: 38..<39))
    #expect(ClientMessageSample(#"{"type":"hotline.reload"}"#).message == .reload(echo: nil))
  }

  @Test func forwardedMessagesKeepTheirTypeAndLoseOwnedMembers() throws {
    let steer = ClientMessageSample(
      #"{"type":"response.steer","request_id":"a","event_id":"e","previous_response_id":"r\n","#
        + #""input":[1, 2],"stream":true}"#)
    let message = try #require(steer.forwarded)
    #expect(message.kind == .steer)
    #expect(message.id == .string("a"))
    #expect(steer.text(message.idSpelling) == #""a""#)
    #expect(message.responseID == "r\n")
    #expect(message.responseIDRange.map(steer.text) == #""r\n""#)
    #expect(
      message.kept.map(steer.text) == [
        #""type":"response.steer","#, #""previous_response_id":"r\n","input":[1, 2]"#,
      ])
  }

  @Test(arguments: [
    ("response.inject", ControlMessage.inject),
    ("response.interrupt", ControlMessage.interrupt),
  ])
  func injectAndInterruptNameTheResponseByResponseID(
    _ type: String, _ kind: ControlMessage
  ) throws {
    let sample = ClientMessageSample(
      #"{"request_id":3,"response_id":"r","previous_response_id":"p","type":"\#(type)"}"#)
    let message = try #require(sample.forwarded)
    #expect(message.kind == kind)
    #expect(message.id == .integer("3"))
    #expect(message.responseID == "r")
  }

  @Test func missingAndNullResponseIDAreToldApart() throws {
    let missing = ClientMessageSample(#"{"type":"response.interrupt","request_id":3}"#)
    #expect(try #require(missing.forwarded).responseIDRange == nil)
    let null = ClientMessageSample(
      #"{"type":"response.interrupt","request_id":3,"response_id":null}"#)
    let message = try #require(null.forwarded)
    #expect(message.responseID == nil)
    #expect(message.responseIDRange.map(null.text) == "null")
  }

  @Test func membersNobodyReadsMayRepeat() {
    let flat = ClientMessageSample(
      #"{"type":"response.create","input":1,"input":2,"response_id":1}"#)
    #expect(flat.request != nil)
    let nested = ClientMessageSample(
      #"{"type":"response.create","response":{"response":1,"response":2,"x":1,"x":2}}"#)
    #expect(nested.request != nil)
    // What a control message does not read is ignored, a stream_id too.
    let ping = ClientMessageSample(
      #"{"type":"hotline.ping","stream_id":"x","background":true,"model":1,"model":2,"response":1}"#
    )
    #expect(ping.message == .ping(echo: nil))
  }

  @Test func idsTheServerJudgesAreLeftToIt() throws {
    let sample = ClientMessageSample(
      #"{"type":"response.create","previous_response_id":5,"prompt_cache_key":null}"#)
    let request = try #require(sample.request)
    #expect(request.previousResponseID == nil)
    #expect(request.promptCacheKey == nil)
    #expect(
      request.body.kept.map(sample.text) == [#""previous_response_id":5,"prompt_cache_key":null"#])
  }

  @Test func structureInsideStringsIsText() throws {
    let sample = ClientMessageSample(
      #"{"type":"response.create","input":"\",\"type\":\"hotline.ping\",\"stream_id\":\"}"}"#)
    #expect(try #require(sample.request).body.kept.count == 1)
  }

  @Test func falseAndNullBackgroundAreStripped() throws {
    for value in ["false", "null"] {
      let sample = ClientMessageSample(
        #"{"type":"response.create","response":{"background":\#(value),"model":1}}"#)
      #expect(try #require(sample.request).body.kept.map(sample.text) == [#""model":1"#])
    }
  }
}
