import HotlineWire
import Testing

@Suite struct RequestBodyTests {
  /// Members beside `type` in a flat request, and what is kept of them.
  @Test(arguments: [
    ([String](), ""),
    ([#""a":1"#], #""a":1"#),
    ([#""a":1"#, #""b":2"#], #""a":1,"b":2"#),
    ([#""stream":1"#], ""),
    ([#""stream":1"#, #""a":1"#], #""a":1"#),
    ([#""a":1"#, #""stream":1"#], #""a":1"#),
    ([#""a":1"#, #""stream":1"#, #""b":2"#], #""a":1,"b":2"#),
    ([#""stream":1"#, #""event_id":1"#, #""a":1"#, #""b":2"#], #""a":1,"b":2"#),
    ([#""a":1"#, #""b":2"#, #""stream":1"#, #""event_id":1"#], #""a":1,"b":2"#),
    ([#""stream":1"#, #""a":1"#, #""event_id":1"#, #""b":2"#, #""hotline":{}"#], #""a":1,"b":2"#),
    ([#""stream":1"#, #""event_id":1"#, #""stream_options":{}"#, #""request_id":1"#], ""),
  ])
  func ownedMembersTakeOneCommaEach(_ members: [String], _ expected: String) throws {
    for place in 0...members.count {
      var all = members
      all.insert(#""type":"response.create""#, at: place)
      let sample = ClientMessageSample("{" + all.joined(separator: ",") + "}")
      let body = try #require(sample.request).body
      #expect(body.kept.map(sample.text).joined() == expected)
      #expect(body.isEmpty == expected.isEmpty)
      #expect(body.kept.allSatisfy { !$0.isEmpty })
    }
  }

  @Test func whiteSpaceAroundKeptMembersStays() throws {
    let line =
      #"{ "a" : 1 , "stream" : true , "b":[ 2 ]"# + "\t"
      + #", "type" : "response.create" , "c":3 }"#
    let sample = ClientMessageSample(line)
    let body = try #require(sample.request).body
    #expect(
      body.kept.map(sample.text).joined() == #" "a" : 1 , "b":[ 2 ]"# + "\t" + #", "c":3 "#)
  }

  @Test func emptyBodiesAreEmptyInEitherEnvelope() throws {
    for line in [
      #"{"type":"response.create"}"#, #"{"type":"response.create","response":{}}"#,
      #"{"type":"response.create","response":{ }}"#,
      #"{"type":"response.create","response":{ "stream" : 1 , "type" : 2 }}"#,
    ] {
      #expect(try #require(ClientMessageSample(line).request).body.kept == [])
    }
  }

  @Test(arguments: [
    ("null", nil), ("true", RequestBody.Store.true), ("false", .false), ("0", .other),
    (#""true""#, .other), ("[true]", .other),
  ])
  func storeIsToldApart(_ value: String, _ expected: RequestBody.Store?) throws {
    for line in [
      #"{"type":"response.create","store":\#(value)}"#,
      #"{"type":"response.create","response":{"st\u006fre":\#(value)}}"#,
    ] {
      let sample = ClientMessageSample(line)
      let store = try #require(sample.request).body.store
      if let expected {
        #expect(store == expected)
      } else if case .null(let range) = store {
        #expect(sample.text(range) == "null")
      } else {
        Issue.record("store is \(store)")
      }
    }
  }

  @Test func membersInsideOtherValuesAreNotTheBodys() throws {
    let sample = ClientMessageSample(
      #"{"type":"response.create","metadata":{"model":1,"store":true,"stream_id":1},"#
        + #""input":[{"instructions":1,"type":2,"type":3}]}"#)
    let body = try #require(sample.request).body
    #expect(!body.hasModel)
    #expect(!body.hasInstructions)
    #expect(body.store == .missing)
    #expect(body.kept.count == 1)
  }
}
