import TestSupport
import Testing

/// Requests that belong together, and messages about running ones.
struct ConversationTests {
  @Test func aChainOfThreeStaysOnItsConnection() throws {
    let rig = try Rig(upstream: "connections_warm = 2")
    try rig.daemon.waitUntilWarm(2)
    let client = try rig.client()
    var previous: String?
    var connections: Set<Int> = []
    for turn in 1...3 {
      let more = previous.map { #","previous_response_id":"\#($0)""# } ?? ""
      let lines = try client.ask(request("turn \(turn)", more: more))
      #expect(lines.done?.outcome.string == "completed", "\(lines)")
      previous = lines.done?.response_id.string
      if let connection = lines.done?.connection.integer { connections.insert(connection) }
      // Others' requests in between go elsewhere and do not evict the response.
      #expect(try rig.client().ask(request("other")).done?.outcome.string == "completed")
    }
    #expect(connections.count == 1)
  }

  /// Each client is another one, so that nothing but the key says what belongs together.
  @Test func requestsOfOnePromptCacheKeyShareAConnection() throws {
    let rig = try Rig(upstream: "connections_warm = 3\nconnections_max = 3")
    try rig.daemon.waitUntilWarm(3)
    func ask(_ key: String) throws -> Int? {
      let key = #","prompt_cache_key":"\#(key)""#
      let lines = try rig.client().ask(request("x", more: key))
      #expect(lines.done?.outcome.string == "completed", "\(lines)")
      return lines.done?.connection.integer
    }
    let keys = ["one", "two", "three"]
    let first = try keys.map { try ask($0) }
    #expect(Set(first).count == 3, "each began where nobody was")
    for _ in 0..<3 {
      #expect(try keys.reversed().map { try ask($0) } == first.reversed())
    }
  }

  @Test func aChainWhoseConnectionIsGoneIsTold() throws {
    let rig = try Rig()
    let client = try rig.client()
    let id = try #require(try client.ask(request("one")).done?.response_id.string)
    try rig.simulator.command("drop all")
    try rig.daemon.waitForStatus("another connection") { status in
      status.readyConnections.contains { $0["number"].integer ?? 0 > 1 }
    }
    let before = try rig.simulator.statistics().requests
    for lost in [id, "resp_of_nobody"] {
      let lines = try client.ask(request("two", more: #","previous_response_id":"\#(lost)""#))
      #expect(lines.codes == ["conversation_lost"], "\(lines)")
      #expect(lines.first?.hotline.sent.string == "no")
      #expect(lines.first?.hotline.accepted.bool == true)
      #expect(lines.done?.outcome.string == "error")
    }
    #expect(try rig.simulator.statistics().requests == before, "answered without a trip")
  }

  @Test func requestsOfAConversationRunInTheirOrderOnOneConnection() throws {
    let rig = try Rig(upstream: "connections_warm = 3")
    try rig.daemon.waitUntilWarm(3)
    let client = try rig.client()
    let options = #""conversation":"talk""#
    for number in 1...4 {
      let input = "[[fault: delay \(500 - 100 * number)]] n\(number)"
      try client.send(request(input, id: "c\(number)", options: options))
    }
    try client.send(request("aside", id: "aside"))
    var done: [Line] = []
    var started: [String] = []
    var notices: [Line] = []
    while done.count < 5 {
      let line = try client.line()
      if line.isDone { done.append(line) }
      if line.kind == "hotline.queued" { notices.append(line) }
      if line.kind == "response.created", let id = line.request_id.string { started.append(id) }
    }
    #expect(done.first?.request_id.string == "aside", "order holds up nobody else")
    #expect(started.filter { $0 != "aside" } == ["c1", "c2", "c3", "c4"])
    let own = done.filter { $0.request_id.string != "aside" }
    #expect(own.compactMap(\.request_id.string) == ["c1", "c2", "c3", "c4"])
    #expect(Set(own.compactMap(\.connection.integer)).count == 1)
    #expect(notices.contains { $0.reason.string == "order" })
  }

  @Test func controlMessagesNameTheirOwnResponseOnly() throws {
    let rig = try Rig()
    let client = try rig.client()
    try client.send(request("[[fault: silence after 2]]", id: "a1"))
    _ = try client.lines(upTo: "its events") { $0.kind == "response.in_progress" }
    let wrong = try client.answer(
      to: #"{"type":"response.inject","request_id":"a1","response_id":"resp_other"}"#)
    #expect(wrong.code == "invalid_request")
    #expect(wrong.error.param.string == "response_id")
    try client.send(#"{"type":"response.cancel","request_id":"a1"}"#)
    #expect(try client.line().outcome.string == "cancelled")
  }
}
