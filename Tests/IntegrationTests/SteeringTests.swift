import TestSupport
import Testing

/// What a client says about its running response, and the responses that follow in its place.
struct SteeringTests {
  private func steer(_ id: String, _ input: String) -> String {
    #"{"type":"response.steer","request_id":"\#(id)","input":\#(JSON.quoted(input))}"#
  }

  private func begin(_ client: LineClient, id: String, _ input: String = "a b c d") throws {
    try client.send(request("[[fault: gap 150, deltas 6]] \(input)", id: id))
    _ = try client.lines(upTo: "a delta of \(id)") {
      $0.kind == "response.output_text.delta" && $0.request_id.string == id
    }
  }

  @Test func theResponseThatFollowsASteeredOneIsOfTheSameRequest() throws {
    let price =
      "[price.m]\ninput_per_million = 1\n"
      + "cached_input_per_million = 1\noutput_per_million = 1000000"
    let rig = try Rig(upstream: "connections_max = 1", sections: price)
    let client = try rig.client()
    try begin(client, id: "s")
    try client.send(steer("s", "say three little words"))
    let lines = try client.lines(upTo: "the end", \.isDone)
    let kinds = lines.map(\.kind)
    #expect(kinds.contains("response.steer.accepted"), "\(kinds)")
    let first = try #require(lines.first { $0.kind == "response.incomplete" })
    #expect(first.response.incomplete_details.reason.string == "steered")
    let last = try #require(lines.first { $0.kind == "response.completed" })
    #expect(answerText(lines).hasSuffix("Echo: say three little words"))
    #expect(lines.allSatisfy { $0.request_id.string == "s" })
    let done = try #require(lines.done)
    #expect(done.outcome.string == "completed")
    #expect(done.response_id.string == last.response.id.string)
    #expect(done.response_id.string != first.response.id.string)
    #expect(done.usage.output_tokens.integer == last.response.usage.output_tokens.integer)
    // What both cost, of which the words of the first are at least a dollar.
    let words = try [first, last].map { try #require($0.response.usage.output_tokens.integer) }
    let cost = try #require(done.cost_usd.number)
    #expect(cost > Double(words[0] + words[1]) - 0.5, "\(done)")
    // The connection is as good as before.
    let again = try client.ask(request("again", id: "t"))
    #expect(again.done?.connection.integer == done.connection.integer)
    let statistics = try rig.simulator.statistics()
    #expect(statistics.violations.integer == 0)
    #expect(statistics.upgrades.integer == 1)
    #expect(statistics.requests.integer == 2)
  }

  @Test func whatWaitsForAToolsAnswerIsContinuedByTheClient() throws {
    let rig = try Rig()
    let client = try rig.client()
    let tools = #","tools":[{"type":"function","name":"look_up","parameters":{}}]"#
    try client.send(
      request("[[fault: gap 150, deltas 6]] call the tool", id: "p", more: tools))
    _ = try client.lines(upTo: "the call") { $0.kind.hasSuffix("arguments.delta") }
    try client.send(steer("p", "in verse"))
    let lines = try client.lines(upTo: "the end", \.isDone)
    let pending = try #require(lines.first { $0.kind == "response.steer.pending" })
    #expect(lines.suffix(2).map(\.kind) == ["response.steer.pending", "hotline.done"])
    #expect(lines.done?.outcome.string == "completed")
    let call = try #require(pending.required_input[0].call_id.string)
    let id = try #require(lines.done?.response_id.string)
    let answer = #"[{"type":"function_call_output","call_id":"\#(call)","output":"found"}]"#
    let next = try client.ask(
      #"{"type":"response.create","request_id":"q","response":{"model":"m","input":\#(answer),"#
        + #""previous_response_id":"\#(id)"}}"#)
    #expect(next.done?.outcome.string == "completed", "\(next)")
    #expect(next.done?.connection.integer == lines.done?.connection.integer)
  }

  @Test func anInjectLeavesTheResponseItsEndAndAnInterruptDoesNot() throws {
    let rig = try Rig()
    let client = try rig.client()
    try begin(client, id: "i")
    try client.send(#"{"type":"response.inject","request_id":"i","input":"more"}"#)
    var lines = try client.lines(upTo: "the end", \.isDone)
    #expect(lines.contains { $0.kind == "response.inject.created" }, "\(lines)")
    #expect(lines.done?.outcome.string == "completed")
    try begin(client, id: "n")
    try client.send(#"{"type":"response.interrupt","request_id":"n"}"#)
    lines = try client.lines(upTo: "the end", \.isDone)
    #expect(lines.done?.outcome.string == "incomplete")
    #expect(lines.error == nil)
    #expect(try rig.simulator.statistics().violations.integer == 0)
  }

  /// Its error names nothing, and is no end of the response.
  @Test(arguments: [["--no-steer"], ["--no-steer", "--lanes"]])
  func aServerThatDoesNotKnowASteerGoesOnWithTheResponse(flags: [String]) throws {
    let rig = try Rig(flags, upstream: "connections_max = 1\nlanes = 4")
    let clients = try (0..<(flags.count == 2 ? 2 : 1)).map { _ in try rig.client() }
    #expect(try clients[0].ask(request("first")).done?.outcome.string == "completed")
    for (number, client) in clients.enumerated() { try begin(client, id: "l\(number)") }
    try clients[0].send(steer("l0", "otherwise"))
    for (number, client) in clients.enumerated() {
      let lines = try client.lines(upTo: "the end", \.isDone)
      #expect(lines.done?.outcome.string == "completed", "\(lines)")
      let codes = lines.filter { $0.kind == "error" }.map(\.json["error"]["code"].string)
      #expect(codes == (number == 0 ? ["unknown_event"] : []))
    }
    #expect(try clients[0].ask(request("again")).done?.outcome.string == "completed")
    #expect(try rig.simulator.statistics().upgrades.integer == (flags.count == 2 ? 1 : 2))
  }

  @Test func aSteerFindsItsLaneAmongSeveral() throws {
    let rig = try Rig(["--lanes"], upstream: "connections_max = 1\nlanes = 4")
    let clients = try (0..<3).map { _ in try rig.client() }
    #expect(try clients[0].ask(request("first")).done?.outcome.string == "completed")
    for (number, client) in clients.enumerated() { try begin(client, id: "l\(number)") }
    try clients[1].send(steer("l1", "only this one"))
    for (number, client) in clients.enumerated() {
      let lines = try client.lines(upTo: "the end", \.isDone)
      #expect(lines.done?.outcome.string == "completed", "\(lines)")
      #expect(lines.allSatisfy { $0.request_id.string == "l\(number)" })
      #expect(lines.contains { $0.kind.hasPrefix("response.steer") } == (number == 1))
      #expect(answerText(lines).contains("only this one") == (number == 1))
    }
    let statistics = try rig.simulator.statistics()
    #expect(statistics.violations.integer == 0)
    #expect(statistics.upgrades.integer == 1)
  }

  /// Nothing follows, whatever the server has said: it was told to be silent.
  @Test func whatDoesNotFollowIsWaitedForOnlySoLong() throws {
    let rig = try Rig(upstream: "connections_max = 1\nsteer_timeout = \"100ms\"")
    let client = try rig.client()
    try begin(client, id: "w")
    try client.send(steer("w", "[[fault: delay 600000]]"))
    let lines = try client.lines(upTo: "the end", \.isDone)
    #expect(lines.done?.outcome.string == "incomplete", "\(lines)")
    // What may still come there reaches nobody.
    let again = try client.ask(request("again", id: "x"))
    #expect(again.done?.outcome.string == "completed")
    #expect(again.done?.connection.integer != lines.done?.connection.integer)
  }

  /// The judge is OpenAI's own SDK.
  @Test(Requires.pythonOpenAI) func theEventsOfASteeredRequestAreTheSDKsOwn() throws {
    let rig = try Rig()
    let client = try rig.client()
    try begin(client, id: "j")
    try client.send(steer("j", "other words"))
    let lines = try client.lines(upTo: "the end", \.isDone)
    try client.send(steer("j", "too late"))
    #expect(try client.line().code == "unknown_request_id")
    let own = #"{"request_id":"j","#
    let events = lines.filter { $0.text.hasPrefix(own) && !$0.isDone }
      .map { "{" + $0.text.dropFirst(own.count) }
    let types = try PythonJudge.types(of: events, .responses, in: rig.directory)
    #expect(types.contains("response.steer.accepted"))
    #expect(types.last == "response.completed")
  }
}
