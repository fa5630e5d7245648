import Testing

@testable import HotlineCore

/// Which lane a request gets.
@Suite struct BrokerLaneChoiceTests {
  // MARK: Continuations

  @Test func aContinuationGoesToTheLaneThatMadeTheResponse() {
    var fixture = BrokerFixture.running(3, of: 4)
    for lane in 0..<3 { fixture.endOnLane(lane) }
    #expect(
      fixture.ask("c") { $0.previousResponseID = "r2" } == [
        .accept(4, madeID: nil), .send(4, on: 1, lane: 1),
      ])
    #expect(
      fixture.ask("d") { $0.previousResponseID = "r3" } == [
        .accept(5, madeID: nil), .send(5, on: 1, lane: 2),
      ])
  }

  @Test func aContinuationWaitsForItsLaneThoughAnotherIsFree() {
    var fixture = BrokerFixture.running(2, of: 3)
    fixture.endOnLane(0)
    fixture.run("c", response: "r3", as: 3, lane: .lane(0)) { $0.previousResponseID = "r1" }
    #expect(fixture.ask("d") { $0.previousResponseID = "r1" } == [.accept(4, madeID: nil)])
    #expect(fixture.pass(to: 5_000) == [.notifyQueued(4, position: 1, reason: .busy)])
    #expect(
      fixture.event(.ended(.completed, "r3").of(.lane(0))).last == .send(4, on: 1, lane: 0))
  }

  @Test func aLaneThatIsWaitedForIsGivenToNobodyElse() {
    var fixture = BrokerFixture.running(2, of: 2)
    fixture.ask("a", from: 2)
    fixture.endOnLane(0)
    fixture.handedOver(3)
    fixture.event(.created("r3").of(.lane(0)))
    fixture.ask("b", from: 2)
    fixture.ask("c") { $0.previousResponseID = "r1" }
    // Both waited for; the continuation has the right to its lane, the other takes any.
    #expect(
      fixture.event(.ended(.completed, "r3").of(.lane(0))).last == .send(5, on: 1, lane: 0))
    #expect(fixture.endOnLane(1).last == .send(4, on: 1, lane: 1))
  }

  @Test func continuationsOfOneLaneRunInTheirOrder() {
    var fixture = BrokerFixture.running(1, of: 2)
    fixture.endOnLane(0)
    fixture.run("a", response: "r2", as: 2, lane: .lane(0)) { $0.previousResponseID = "r1" }
    for id in ["b", "c"] as [ByteString] { fixture.ask(id) { $0.previousResponseID = "r1" } }
    #expect(
      fixture.event(.ended(.completed, "r2").of(.lane(0))).last == .send(3, on: 1, lane: 0))
    fixture.handedOver(3)
    fixture.event(.created("r3").of(.lane(0)))
    #expect(
      fixture.event(.ended(.completed, "r3").of(.lane(0))).last == .send(4, on: 1, lane: 0))
  }

  @Test func aCancelledContinuationGivesItsLaneUp() {
    var fixture = BrokerFixture.running(2, of: 2)
    fixture.endOnLane(0)
    fixture.run("c", response: "r3", as: 3, lane: .lane(0)) { $0.previousResponseID = "r1" }
    fixture.ask("d") { $0.previousResponseID = "r1" }
    fixture.ask("e", from: 2)
    #expect(fixture.cancel("d") == [.finish(4, nil, done(.cancelled))])
    #expect(
      fixture.event(.ended(.completed, "r3").of(.lane(0))).last == .send(5, on: 1, lane: 0))
  }

  @Test func aContinuationWhoseResponseFailedIsLostAndItsLaneFree() {
    var fixture = BrokerFixture.running(2, of: 2)
    fixture.endOnLane(0)
    fixture.ask("c") { $0.previousResponseID = "r1" }
    fixture.handedOver(3)
    fixture.event(.error("previous_response_not_found").of(.lane(0)))
    let lost = failure(.conversationLost, param: "previous_response_id")
    #expect(
      fixture.ask("d") { $0.previousResponseID = "r1" } == [
        .accept(4, madeID: nil), .finish(4, lost, done(.error)),
      ])
    #expect(fixture.pool.connections[1]?.lanes[0].chainAt == nil)
    #expect(fixture.ask("e").last == .send(5, on: 1, lane: 0))
  }

  @Test func aStoredResponseIsContinuedOnAnyLane() {
    var fixture = BrokerFixture.lanes(2, continuation: .anywhere)
    fixture.runOnLane(0)
    fixture.endOnLane(0)
    fixture.runOnLane(1, { $0.previousResponseID = "r1" }, on: 0)
    #expect(
      fixture.ask("c") { $0.previousResponseID = "r1" } == [
        .accept(3, madeID: nil), .send(3, on: 1, lane: 1),
      ])
  }

  @Test func aStoredResponseIsRatherContinuedOnItsLane() {
    var fixture = BrokerFixture.lanes(3, continuation: .anywhere)
    for lane in 0..<3 { fixture.runOnLane(lane) }
    for lane in 0..<3 { fixture.endOnLane(lane) }
    #expect(fixture.ask("d") { $0.previousResponseID = "r3" }.last == .send(4, on: 1, lane: 2))
    #expect(fixture.ask("e") { $0.previousResponseID = "r2" }.last == .send(5, on: 1, lane: 1))
  }

  @Test func whatTheLaneNoLongerHasLastIsContinuedOnAny() {
    var fixture = BrokerFixture.lanes(3, continuation: .anywhere)
    for lane in 0..<2 { fixture.runOnLane(lane) }
    for lane in 0..<2 { fixture.endOnLane(lane) }
    fixture.run("c", response: "r3", as: 3, lane: .lane(1)) { $0.previousResponseID = "r2" }
    fixture.event(.ended(.completed, "r3").of(.lane(1)))
    #expect(fixture.ask("d") { $0.previousResponseID = "r2" }.last == .send(4, on: 1, lane: 0))
  }

  // MARK: What is not stored

  @Test func whatIsNotStoredIsContinuedOnItsLaneOnly() {
    var fixture = BrokerFixture.lanes(3, continuation: .anywhere)
    fixture.runOnLane(0)
    fixture.runOnLane(1) { $0.isUnstored = true }
    for lane in 0..<2 { fixture.endOnLane(lane) }
    fixture.run("c", response: "r3", as: 3, lane: .lane(1)) { $0.previousResponseID = "r2" }
    // Its lane is busy: another would be refused.
    #expect(fixture.ask("d") { $0.previousResponseID = "r2" } == [.accept(4, madeID: nil)])
    #expect(
      fixture.event(.ended(.completed, "r3").of(.lane(1))).last == .send(4, on: 1, lane: 1))
  }

  @Test func whatIsNotStoredKeepsItsLaneFromOthers() {
    var fixture = BrokerFixture.lanes(2, continuation: .anywhere)
    fixture.runOnLane(0) { $0.isUnstored = true }
    fixture.endOnLane(0)
    #expect(fixture.pool.connections[1]?.lanes[0].chainAt != nil)
    #expect(fixture.ask("b", from: 2).last == .send(2, on: 1, lane: 1))
  }

  @Test func whatIsNotStoredIsLostWithItsConnection() {
    var fixture = BrokerFixture.lanes(2, continuation: .anywhere) { $0.connectionsMax = 2 }
    fixture.runOnLane(0) { $0.isUnstored = true }
    fixture.endOnLane(0)
    fixture.ask("b") { $0.previousResponseID = "r1" }
    let lost = failure(.conversationLost, param: "previous_response_id")
    // Nothing of it was sent: but no other connection can serve it.
    #expect(
      fixture.closed(1, .reset).contains(
        .finish(2, lost, done(.error, on: 1, reused: true))))
    #expect(
      fixture.ask("c") { $0.previousResponseID = "r1" }.contains(
        .finish(3, lost, done(.error))))
    // What nobody knows may be stored.
    fixture.ask("d") { $0.previousResponseID = "r0" }
    #expect(fixture.broker.requests[4]?.state == .queued)
  }

  /// The configuration says how such a server continues what it is never asked to store.
  @Test func whereNothingIsEverStoredTheConfigurationSaysWhatContinues() {
    let settings = UpstreamSettings(
      name: "up", limits: UpstreamLimits(), continuation: .anywhere, forcesStoreFalse: true)
    var fixture = BrokerFixture(upstreams: [settings], clients: 1)
    for case .dial(let number, _) in fixture.start() { fixture.opened(number) }
    fixture.serve("a", response: "r1", as: 1) { $0.isUnstored = true }
    fixture.closed(1, .reset)
    fixture.ask("b") { $0.previousResponseID = "r1" }
    #expect(fixture.broker.requests[2]?.state == .queued)
  }

  // MARK: Chains

  @Test func theLaneThatNobodyContinuesIsTakenFirstThenTheOneLongestQuiet() {
    var fixture = BrokerFixture.running(3, of: 4)
    fixture.endOnLane(1, at: 3_010)
    fixture.endOnLane(0, at: 3_020)
    fixture.endOnLane(2, at: 3_030)
    #expect(fixture.ask("a", from: 2).last == .send(4, on: 1, lane: 3))
    #expect(fixture.ask("b", from: 2).last == .send(5, on: 1, lane: 1))
    #expect(fixture.ask("c", from: 2).last == .send(6, on: 1, lane: 0))
    #expect(fixture.ask("d", from: 2).last == .send(7, on: 1, lane: 2))
  }

  @Test func anotherConnectionsFreeLaneIsTakenBeforeAChainIsEnded() {
    var fixture = BrokerFixture.running(2, of: 2) { $0.connectionsMax = 2 }
    fixture.opened(2)
    fixture.endOnLane(0)
    fixture.endOnLane(1)
    #expect(fixture.ask("a").last == .send(3, on: 2, lane: 0))
  }

  @Test func whereResponsesAreStoredNoChainIsProtected() {
    var fixture = BrokerFixture.lanes(2, continuation: .anywhere)
    fixture.runOnLane(0)
    fixture.endOnLane(0)
    #expect(fixture.pool.connections[1]?.lanes[0].chainAt == nil)
    #expect(fixture.ask("a").last == .send(2, on: 1, lane: 0))
  }

  @Test func aConversationMayEndItsOwnChain() {
    var fixture = BrokerFixture.lanes(2)
    fixture.runOnLane(0) { $0.conversation = "c" }
    fixture.endOnLane(0)
    fixture.run("b", response: "r2", as: 2, lane: .lane(1)) { $0.conversation = "d" }
    #expect(
      fixture.ask("e") { $0.conversation = "c" } == [
        .accept(3, madeID: nil), .send(3, on: 1, lane: 0),
      ])
  }
}
