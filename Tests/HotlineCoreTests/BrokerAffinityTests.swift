import Testing

@testable import HotlineCore

@Suite struct BrokerAffinityTests {
  /// Two connections; the first made `r1` and is idle again, as is the second.
  private func afterOneResponse(
    _ continuation: UpstreamSettings.Continuation = .connection, clients: Int = 1
  ) -> BrokerFixture {
    var fixture = BrokerFixture.warm(clients: clients, continuation: continuation) {
      $0.connectionsWarm = 2
      $0.connectionsMax = 2
    }
    fixture.run("a", response: "r1", as: 1) { $0.conversation = "c" }
    fixture.event(.ended(.completed, "r1"))
    return fixture
  }

  private let lost = failure(.conversationLost, param: "previous_response_id")

  // MARK: previous_response_id

  @Test func aContinuationGoesToTheConnectionThatMadeTheResponse() {
    var fixture = afterOneResponse()
    #expect(
      fixture.ask("b") { $0.previousResponseID = "r1" } == [
        .accept(2, madeID: nil), .send(2, on: 1, lane: nil),
      ])
  }

  @Test func aContinuationWaitsForItsConnectionThoughAnotherIsFree() {
    var fixture = afterOneResponse()
    fixture.run("b", response: "r2", as: 2) { $0.previousResponseID = "r1" }
    #expect(fixture.ask("c") { $0.previousResponseID = "r1" } == [.accept(3, madeID: nil)])
    fixture.pass(to: 1_000)
    #expect(fixture.event(.ended()).last == .send(3, on: 1, lane: nil))
  }

  @Test func anUnknownResponseIsLostAtOnce() {
    var fixture = afterOneResponse()
    #expect(
      fixture.ask("b") { $0.previousResponseID = "r9" } == [
        .accept(2, madeID: nil), .finish(2, lost, done(.error)),
      ])
  }

  @Test func aResponseOfAConnectionThatIsGoneIsLostAtOnce() {
    var fixture = afterOneResponse()
    fixture.closed(1, .reset)
    #expect(
      fixture.ask("b") { $0.previousResponseID = "r1" } == [
        .accept(2, madeID: nil), .finish(2, lost, done(.error)),
      ])
  }

  @Test func aResponseOfAConnectionThatCloseIsLostAtOnce() {
    var fixture = afterOneResponse()
    fixture.event(.unusable)
    #expect(
      fixture.ask("b") { $0.previousResponseID = "r1" } == [
        .accept(2, madeID: nil), .finish(2, lost, done(.error)),
      ])
  }

  @Test func anotherUsersResponseIsLost() {
    var fixture = afterOneResponse()
    fixture.connect(2, uid: 0)
    #expect(
      fixture.ask("b", from: 2) { $0.previousResponseID = "r1" } == [
        .accept(2, madeID: nil), .finish(2, lost, done(.error)),
      ])
  }

  @Test func aWaitingContinuationIsLostWithItsConnection() {
    var fixture = afterOneResponse()
    fixture.run("b", response: "r2", as: 2) { $0.previousResponseID = "r1" }
    fixture.ask("c") { $0.previousResponseID = "r1" }
    let actions = fixture.closed(1, .reset, at: 10)
    #expect(
      actions == [
        .finish(
          2, failure(.connectionLost, origin: .upstream, sent: .yes, retryable: true),
          done(
            .error, on: 1, reused: true, response: "r2", firstEvent: 0, total: 10, events: 1)),
        .finish(3, lost, done(.error, queued: 10, total: 10)),
        .dial(3, 0),
      ])
  }

  @Test func aContinuationThatCannotBeSentIsLostWithItsConnection() {
    var fixture = afterOneResponse()
    fixture.ask("b") { $0.previousResponseID = "r1" }
    #expect(
      fixture.closed(1, .reset) == [
        .finish(2, lost, done(.error, on: 1, reused: true)), .dial(3, 0),
      ])
  }

  @Test func aContinuationThatEndedInAnErrorEvictsItsPredecessor() {
    var fixture = afterOneResponse()
    fixture.ask("b") { $0.previousResponseID = "r1" }
    fixture.handedOver(2)
    fixture.event(.error("server_error"))
    #expect(
      fixture.ask("c") { $0.previousResponseID = "r1" } == [
        .accept(3, madeID: nil), .finish(3, lost, done(.error)),
      ])
  }

  @Test func aContinuationThatFailedWithoutAnIdEvictsItsPredecessor() {
    var fixture = afterOneResponse()
    fixture.ask("b") { $0.previousResponseID = "r1" }
    fixture.handedOver(2)
    fixture.broker.upstreams[0].pool.connections[1]?.lanes[0].beginsIdentified = false
    fixture.event(.ended(.failed))
    #expect(
      fixture.ask("c") { $0.previousResponseID = "r1" } == [
        .accept(3, madeID: nil), .finish(3, lost, done(.error)),
      ])
  }

  @Test func aLongConversationOfLostRequestsEndsInOneGo() {
    var fixture = BrokerFixture.single(
      limits: .with {
        $0.requestsPerClientMax = 10_000
        $0.queueRequestsMax = 10_000
      })
    fixture.run("a", response: "r1", as: 1) { $0.conversation = "c" }
    for number in 1...2_000 {
      fixture.broker.requestQuietly("b\(number)") {
        $0.conversation = "c"
        $0.previousResponseID = "r9"
      }
    }
    #expect(fixture.event(.ended()).count == 2 + 2_000)
    #expect(fixture.broker.upstreams[0].orders.isEmpty)
  }

  @Test func aContinuationThatFailedEvictsItsPredecessor() {
    var fixture = afterOneResponse()
    fixture.run("b", response: "r2", as: 2) { $0.previousResponseID = "r1" }
    fixture.event(.ended(.failed, "r2"))
    for id in ["r1", "r2"] as [ByteString] {
      let actions = fixture.ask(id) { $0.previousResponseID = id }
      #expect(actions.withoutFirst == [.finish(actions.accepted, lost, done(.error))])
    }
  }

  @Test(arguments: [Outcome.completed, .incomplete, .cancelled])
  func aResponseThatEndedMayBeContinued(outcome: Outcome) {
    var fixture = BrokerFixture.single()
    fixture.run("a", response: "r1", as: 1)
    fixture.event(.ended(outcome, "r1"))
    #expect(
      fixture.ask("b") { $0.previousResponseID = "r1" } == [
        .accept(2, madeID: nil), .send(2, on: 1, lane: nil),
      ])
  }

  @Test func theOldestResponseIsForgotten() {
    var fixture = BrokerFixture.single(limits: .with { $0.affinityEntriesMax = 1 })
    for (number, id) in [(1, "r1"), (2, "r2")] as [(RequestNumber, ByteString)] {
      fixture.run(id, response: id, as: number)
      fixture.event(.ended(.completed, id))
    }
    #expect(
      fixture.ask("b") { $0.previousResponseID = "r1" } == [
        .accept(3, madeID: nil), .finish(3, lost, done(.error)),
      ])
    #expect(
      fixture.ask("c") { $0.previousResponseID = "r2" } == [
        .accept(4, madeID: nil), .send(4, on: 1, lane: nil),
      ])
  }

  // MARK: Continuation anywhere

  @Test func aStoredResponseIsContinuedOnAnyConnection() {
    var fixture = afterOneResponse(.anywhere)
    #expect(
      fixture.ask("b") { $0.previousResponseID = "r9" } == [
        .accept(2, madeID: nil), .send(2, on: 1, lane: nil),
      ])
  }

  @Test func aStoredResponsePrefersItsConnectionForItsPatience() {
    var fixture = afterOneResponse(.anywhere)
    fixture.run("b", response: "r2", as: 2) { $0.previousResponseID = "r1" }
    #expect(fixture.ask("c") { $0.previousResponseID = "r1" } == [.accept(3, madeID: nil)])
    #expect(fixture.deadline(at: 49) == [])
    #expect(fixture.deadline(at: 50) == [.send(3, on: 2, lane: nil)])
  }

  @Test func aStoredResponseSurvivesItsConnection() {
    var fixture = afterOneResponse(.anywhere)
    fixture.run("b", response: "r2", as: 2) { $0.previousResponseID = "r1" }
    fixture.ask("c") { $0.previousResponseID = "r1" }
    #expect(fixture.closed(1, .reset).contains(.send(3, on: 2, lane: nil)))
  }

  // MARK: Conversations

  @Test func aConversationReturnsToItsConnection() {
    var fixture = afterOneResponse()
    #expect(
      fixture.ask("b") { $0.conversation = "c" } == [
        .accept(2, madeID: nil), .send(2, on: 1, lane: nil),
      ])
  }

  @Test func aConversationWaitsForItsConnectionForItsPatienceOnly() {
    var fixture = afterOneResponse()
    fixture.run("b", response: "r2", as: 2) { $0.previousResponseID = "r1" }
    #expect(fixture.ask("d") { $0.conversation = "c" } == [.accept(3, madeID: nil)])
    #expect(fixture.deadline(at: 49) == [])
    #expect(fixture.deadline(at: 50) == [.send(3, on: 2, lane: nil)])
  }

  @Test func aConversationWhoseConnectionGetsFreeInTimeGoesThere() {
    var fixture = afterOneResponse()
    fixture.run("b", response: "r2", as: 2) { $0.previousResponseID = "r1" }
    fixture.ask("d") { $0.conversation = "c" }
    #expect(fixture.event(.ended(), at: 40).last == .send(3, on: 1, lane: nil))
    #expect(fixture.pass(to: 200) == [])
  }

  @Test func aConversationWhoseConnectionIsLostGoesElsewhereAtOnce() {
    var fixture = afterOneResponse()
    fixture.run("b", response: "r2", as: 2) { $0.previousResponseID = "r1" }
    fixture.ask("d") { $0.conversation = "c" }
    #expect(fixture.closed(1, .reset).contains(.send(3, on: 2, lane: nil)))
  }

  @Test func requestsOfAConversationRunInTheirOrder() {
    var fixture = BrokerFixture.warm { $0.connectionsWarm = 3 }
    fixture.run("a", response: "r1", as: 1) { $0.conversation = "c" }
    #expect(fixture.ask("b") { $0.conversation = "c" } == [.accept(2, madeID: nil)])
    #expect(fixture.ask("d") { $0.conversation = "c" } == [.accept(3, madeID: nil)])
    #expect(fixture.event(.ended()).contains(.send(2, on: 1, lane: nil)))
    fixture.handedOver(2)
    fixture.event(.created("r2"))
    #expect(fixture.event(.ended()).contains(.send(3, on: 1, lane: nil)))
    fixture.handedOver(3)
    fixture.event(.ended(.completed, "r3"))
    #expect(fixture.broker.upstreams[0].orders.isEmpty)
  }

  @Test func waitingForTheOrderHoldsUpNobodyElse() {
    var fixture = BrokerFixture.warm {
      $0.connectionsWarm = 2; $0.connectionsMax = 2
    }
    fixture.run("a", response: "r1", as: 1) { $0.conversation = "c" }
    fixture.ask("b") { $0.conversation = "c" }
    #expect(fixture.ask("d") == [.accept(3, madeID: nil), .send(3, on: 2, lane: nil)])
  }

  @Test func conversationsOfDifferentUsersAndUpstreamsAreDifferent() {
    var fixture = BrokerFixture(upstreams: ["a", "b"].map { UpstreamSettings(name: $0) })
    fixture.start()
    fixture.opened(1)
    fixture.opened(2, of: 1)
    fixture.connect(2, uid: 0)
    fixture.ask("a") { $0.conversation = "c" }
    #expect(
      fixture.ask("b", upstream: 1) { $0.conversation = "c" }.contains(.send(2, on: 2, lane: nil)))
    fixture.opened(3)
    #expect(
      fixture.ask("d", from: 2) { $0.conversation = "c" }.contains(.send(3, on: 3, lane: nil)))
  }

  @Test func aFollowerThatGivesUpIsSkipped() {
    var fixture = BrokerFixture.single()
    fixture.run("a", response: "r1", as: 1) { $0.conversation = "c" }
    fixture.ask("b") { $0.conversation = "c" }
    fixture.ask("d") { $0.conversation = "c" }
    #expect(fixture.cancel("b") == [.finish(2, nil, done(.cancelled))])
    #expect(fixture.event(.ended()).last == .send(3, on: 1, lane: nil))
  }

  @Test func anEndBeforeItsTurnDoesNotReleaseTheOthers() {
    var fixture = BrokerFixture.warm {
      $0.connectionsWarm = 2; $0.connectionsMax = 2
    }
    fixture.run("a", response: "r1", as: 1) { $0.conversation = "c" }
    fixture.ask("b") {
      $0.conversation = "c"; $0.waitTimeout = .milliseconds(10)
    }
    fixture.ask("d") { $0.conversation = "c" }
    #expect(
      fixture.deadline(at: 10) == [
        .finish(
          2, failure(.queueTimeout, retryable: true), done(.error, queued: 10, total: 10))
      ])
  }

  @Test func whateverEndsARequestReleasesTheNext() {
    var fixture = BrokerFixture.warm {
      $0.connectionsWarm = 2; $0.connectionsMax = 2
    }
    for id in ["a", "b", "d", "e"] as [ByteString] { fixture.ask(id) { $0.conversation = "c" } }
    #expect(fixture.cancel("a").contains(.send(2, on: 2, lane: nil)))
    fixture.handedOver(2)
    fixture.closed(1)
    fixture.opened(3)
    #expect(fixture.closed(2, .reset).contains(.send(3, on: 3, lane: nil)))
    fixture.handedOver(3)
    #expect(fixture.event(.error("bad"), on: 3).contains(.send(4, on: 3, lane: nil)))
  }
}

extension Broker {
  /// A request without the fixture's checks, where there are too many of them.
  fileprivate mutating func requestQuietly(_ id: String, _ change: (inout NewRequest) -> Void) {
    var spec = NewRequest(id: .string(ByteString(id.utf8)), upstream: 0)
    change(&spec)
    _ = requestArrived(spec, from: 1, memoryHeld: 0, at: t(0))
  }
}

extension [Action] {
  var withoutFirst: [Action] { Array(dropFirst()) }

  /// The request of the first action.
  var accepted: RequestNumber {
    if case .accept(let number, _) = first { return number }
    return 0
  }
}
