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
