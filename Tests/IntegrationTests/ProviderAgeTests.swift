import TestSupport
import Testing

/// A connection reaches the limit of its age, the server's or the daemon's own.
struct ProviderAgeTests {
  /// As a server says it that has no request in mind.
  private static let limit =
    #"send {"type":"error","error":{"code":"websocket_connection_limit_reached","message":"old"}}"#

  @Test(arguments: Provider.all)
  func aConnectionThatHasNothingToDoIsReplaced(provider: Provider) throws {
    let rig = try ProviderRig(provider)
    try rig.response("before the limit")
    let before = try rig.daemon.waitUntilWarm().readyConnections.map { $0["number"] }
    try rig.simulator.command(Self.limit)
    try rig.waitForOthers(than: before)
    try rig.response("after the limit")
    #expect(try rig.simulator.statistics().violations.integer == 0)
  }

  /// What the server has refused unread goes to another connection.
  @Test(arguments: Provider.all)
  func aRequestThatMeetsTheLimitGoesElsewhere(provider: Provider) throws {
    let rig = try ProviderRig(provider)
    let refusal = "[[fault: error websocket_connection_limit_reached, once]] at the limit"
    let lines = try rig.client.ask(provider.request(refusal))
    #expect(answerText(lines) == "Echo: at the limit", "\(lines)")
    #expect(lines.done?.outcome.string == "completed")
    #expect(lines.done?.resent.bool == true)
    #expect(lines.error == nil)
  }

  /// Where events name their lane, a word that names none is the connection's, whose responses go
  /// on; anywhere else it may be the response's own.
  @Test(arguments: Provider.all)
  func theLimitComesWhileAResponseRuns(provider: Provider) throws {
    let rig = try ProviderRig(provider)
    let words = (1...30).map { "w\($0)" }.joined(separator: " ")
    try rig.client.send(provider.request("[[fault: gap 100]] \(words)"))
    var lines = try rig.client.lines(upTo: "its text") { $0.kind == "response.output_text.delta" }
    try rig.simulator.command(Self.limit)
    lines += try rig.client.lines(upTo: "the end", \.isDone)
    let connection = try #require(lines.done?.connection)
    if provider.hasLanes {
      #expect(lines.done?.outcome.string == "completed", "\(lines)")
      #expect(answerText(lines) == "Echo: \(words)")
    } else {
      #expect(lines.done?.outcome.string == "error", "\(lines)")
      #expect(lines.error?.code == "websocket_connection_limit_reached")
      #expect(answerText(lines).hasPrefix("Echo:"))
      #expect(try rig.simulator.statistics().requests.integer == 1, "it was sent a second time")
    }
    try rig.waitForOthers(than: [connection])
    try rig.response("after the limit")
  }

  @Test(arguments: Provider.all)
  func theServerClosesWhileAResponseRuns(provider: Provider) throws {
    let rig = try ProviderRig(provider)
    try rig.client.send(provider.request("[[fault: silence after 6]] x"))
    var lines = try rig.client.lines(upTo: "its text") { $0.kind == "response.output_text.delta" }
    try rig.simulator.command("close all 1001 old")
    lines += try rig.client.lines(upTo: "the end", \.isDone)
    #expect(lines.codes == ["connection_lost"], "\(lines)")
    #expect(lines.error?.hotline.sent.string == "yes")
    #expect(lines.error?.hotline.close_code.integer == 1001)
    try rig.response("after the close")
    #expect(try rig.simulator.statistics().requests.integer == 2)
  }

  /// A server that lets its responses end says the limit after the last of them.
  @Test(arguments: Provider.all)
  func aResponseOutlivesTheServersLimit(provider: Provider) throws {
    let rig = try ProviderRig(provider, flags: ["--age-close", "1"])
    let words = (1...12).map { "w\($0)" }.joined(separator: " ")
    let lines = try rig.client.ask(provider.request("[[fault: gap 100]] \(words)"))
    #expect(lines.done?.outcome.string == "completed", "\(lines)")
    #expect(answerText(lines) == "Echo: \(words)")
    try rig.waitForOthers(than: [try #require(lines.done?.connection)])
    try rig.response("after the limit")
  }

  /// By the daemon's own limit another connection is open before an idle one is closed; in one
  /// preset of each dialect, as nothing of it is the server's.
  @Test(arguments: Provider.ofEachDialect)
  func anOldConnectionIsReplacedBeforehand(provider: Provider) throws {
    var provider = provider
    provider.lines += "\nage_limit = \"1s\"\nconnections_max = 1"
    let rig = try ProviderRig(provider)
    let first = try rig.client.ask(provider.request("young"))
    try rig.waitForOthers(than: [try #require(first.done?.connection)])
    let statistics = try rig.simulator.waitForStatistics("the old one's close") {
      ($0.closesReceived.integer ?? 0) >= 1
    }
    #expect(statistics.openAfterNs.array.count == 2, "not opened before the other was closed")
    try rig.response("on another")
    // One that is busy is as well, and its response goes on.
    let before = try rig.simulator.statistics().upgrades.integer ?? 0
    let words = (1...15).map { "w\($0)" }.joined(separator: " ")
    try rig.client.send(provider.request("[[fault: gap 100]] \(words)"))
    try rig.simulator.waitForStatistics("another beside the busy one") {
      ($0.upgrades.integer ?? 0) > before
    }
    let lines = try rig.client.lines(upTo: "the end", \.isDone)
    #expect(lines.done?.outcome.string == "completed", "\(lines)")
    #expect(answerText(lines) == "Echo: \(words)")
    #expect(try rig.simulator.statistics().violations.integer == 0)
  }
}
