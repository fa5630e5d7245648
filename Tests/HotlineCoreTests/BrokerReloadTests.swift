import Testing

@testable import HotlineCore

@Suite struct BrokerReloadTests {
  // MARK: The same again

  @Test func theSameSettingsChangeNothing() {
    var fixture = BrokerFixture.warm { $0.connectionsWarm = 2 }
    fixture.run("a", response: "r1", as: 1)
    fixture.opened(3)
    let deadline = fixture.nextDeadline
    #expect(fixture.reload() == [])
    #expect(fixture.nextDeadline == deadline)
    #expect(fixture.event(.ended()) == [.deliver(1), ended(1, "r1")])
  }

  private func ended(_ number: RequestNumber, _ response: ByteString) -> Action {
    .finish(
      number, nil,
      done(.completed, on: 1, reused: true, response: response, firstEvent: 0, events: 2))
  }

  @Test func whatFailedBeforeIsTriedAtOnce() {
    var fixture = BrokerFixture.single()
    fixture.start()
    fixture.closed(1, .upgrade(401))
    #expect(fixture.pool.circuit.error != nil)
    #expect(fixture.ask("a").count == 2)
    #expect(fixture.reload() == [.dial(2, 0)])
    #expect(fixture.ask("b") == [.accept(2, madeID: nil)])
    fixture.closed(2, .upgrade(429, retryAfter: .seconds(60)))
    #expect(fixture.reload() == [.dial(3, 0)])
  }

  @Test func afterTheEndNothingIsReloaded() {
    var fixture = BrokerFixture.single()
    fixture.terminate()
    #expect(fixture.reload { $0[0].needsNewConnections = true } == [])
  }

  @Test func aReloadDoesNotStopTheEnd() {
    var fixture = BrokerFixture.single()
    fixture.ask("a")
    fixture.terminate()
    #expect(fixture.reload() == [])
    #expect(fixture.ask("b") == [.refuse(1, failure(.shuttingDown, retryable: true))])
  }

  // MARK: Upstreams

  @Test func aNewUpstreamIsWarmed() {
    var fixture = BrokerFixture.single()
    #expect(
      fixture.reload { $0.append(UpstreamReload(UpstreamSettings(name: "new"))) } == [.dial(2, 1)])
    fixture.opened(2, of: 1)
    #expect(
      fixture.ask("a", upstream: 1) == [
        .accept(1, madeID: nil), .send(1, on: 2, lane: nil), .dial(3, 1),
      ])
  }

  @Test func aRemovedUpstreamFinishesWhatItHasAndKeepsNothing() {
    var fixture = BrokerFixture.warm {
      $0.connectionsWarm = 2
      $0.connectionsMax = 2
    }
    fixture.run("a", response: "r1", as: 1)
    #expect(
      fixture.reload { $0[0].isRemoved = true } == [.closeConnection(2, .reloaded)])
    #expect(fixture.closed(2) == [])
    #expect(
      fixture.event(.ended()) == [
        .deliver(1), ended(1, "r1"), .closeConnection(1, .reloaded),
      ])
    #expect(fixture.closed(1) == [])
    #expect(fixture.pass(to: 100_000) == [])
  }

  @Test func aRemovedUpstreamIsDialledForWhatWasAccepted() {
    var fixture = BrokerFixture.single()
    fixture.ask("a")
    fixture.ask("b")
    fixture.reload { $0[0].isRemoved = true }
    #expect(fixture.closed(1, .reset, at: 3_000) == [.dial(2, 0)])
    #expect(fixture.opened(2) == [.send(1, on: 2, lane: nil)])
  }

  @Test func aRemovedUpstreamThatRefusesIsNotProbed() {
    var fixture = BrokerFixture()
    fixture.start()
    fixture.reload { $0[0].isRemoved = true }
    fixture.closed(1, .upgrade(401))
    #expect(fixture.pass(to: 700_000) == [])
    #expect(fixture.nextDeadline == nil)
  }

  @Test func anUpstreamThatComesBackIsWarmedAgain() {
    var fixture = BrokerFixture.warm()
    fixture.reload { $0[0].isRemoved = true }
    fixture.closed(1)
    #expect(fixture.reload() == [.dial(2, 0)])
  }

  // MARK: New connections

  @Test func anotherKeyReplacesWhatIsIdleAtOnceAndWhatIsBusyAfterwards() {
    var fixture = BrokerFixture.warm {
      $0.connectionsWarm = 2
      $0.connectionsMax = 3
    }
    fixture.run("a", response: "r1", as: 1)
    #expect(fixture.pool.dialingCount == 1)
    #expect(
      fixture.reload { $0[0].needsNewConnections = true } == [
        .closeConnection(2, .reloaded), .closeConnection(3, .reloaded), .dial(4, 0), .dial(5, 0),
      ])
    #expect(fixture.event(.text) == [.deliver(1)])
    fixture.opened(4)
    #expect(fixture.ask("b").contains(.send(2, on: 4, lane: nil)))
    #expect(fixture.event(.ended()).last == .closeConnection(1, .reloaded))
    #expect(fixture.broker.counters.connectionsClosed == [.reloaded: 3])
  }

  @Test func theConversationOfAnIdleConnectionIsLost() {
    var fixture = BrokerFixture.single()
    fixture.serve("a", response: "r1", as: 1)
    fixture.reload { $0[0].needsNewConnections = true }
    let lost = failure(.conversationLost, param: "previous_response_id")
    #expect(
      fixture.ask("b") { $0.previousResponseID = "r1" } == [
        .accept(2, madeID: nil), .finish(2, lost, done(.error)),
      ])
  }

  @Test func aWaitingContinuationIsServedBeforeItsConnectionCloses() {
    var fixture = BrokerFixture.single()
    fixture.serve("a", response: "r1", as: 1)
    fixture.run("b", response: "r2", as: 2) { $0.previousResponseID = "r1" }
    fixture.ask("c") { $0.previousResponseID = "r1" }
    #expect(fixture.reload { $0[0].needsNewConnections = true } == [.dial(2, 0)])
    #expect(fixture.event(.ended(.completed, "r2")).last == .send(3, on: 1, lane: nil))
    fixture.handedOver(3)
    fixture.event(.created("r3"))
    #expect(
      fixture.event(.ended(.completed, "r3")).last == .closeConnection(1, .reloaded))
  }

  @Test func whatOnlyPrefersAConnectionThatIsReplacedTakesAny() {
    var fixture = BrokerFixture.warm(clients: 2) {
      $0.connectionsWarm = 2
      $0.connectionsMax = 2
    }
    fixture.serve("a", response: "r1", as: 1) { $0.conversation = "c" }
    fixture.run("x", response: "r2", as: 2, on: 2, from: 2)
    fixture.run("y", response: "r3", as: 3, on: 1, from: 2)
    fixture.ask("b") { $0.conversation = "c" }
    #expect(fixture.stage(of: 4) == .pinned)
    fixture.reload { $0[0].needsNewConnections = true }
    #expect(fixture.stage(of: 4) == .queued)
  }

  @Test(arguments: [(1, 2), (3, 1), (2, 4)])
  func anotherNumberOfLanesMeansNewConnections(before: Int, after: Int) {
    var fixture = BrokerFixture.lanes(before)
    fixture.ask("a")
    #expect(
      fixture.reload { $0[0].settings.limits.lanes = after } == [.dial(2, 0)])
    fixture.opened(2)
    #expect(fixture.pool.connections[2]?.lanes.count == after)
    #expect(
      fixture.ask("b").contains(.send(2, on: 2, lane: after == 1 ? nil : 0)))
  }

  @Test func aReloadAsksTheServerForLanesAgain() {
    var fixture = BrokerFixture.lanes(2)
    fixture.run("a", response: "r1", as: 1)
    #expect(fixture.pool.laneEcho == .absent)
    fixture.reload()
    #expect(fixture.pool.laneEcho == .unknown)
    #expect(fixture.echo() == .absent)
  }

  // MARK: Limits

  @Test func fewerConnectionsMayBeOpenFromThenOn() {
    var fixture = BrokerFixture.warm {
      $0.connectionsWarm = 3
      $0.connectionsMax = 3
    }
    fixture.run("a", response: "r1", as: 1)
    #expect(
      fixture.reload {
        $0[0].settings.limits.connectionsWarm = 1
        $0[0].settings.limits.connectionsMax = 2
      } == [.closeConnection(2, .surplus)])
  }

  @Test func moreConnectionsAreKeptWarmFromThenOn() {
    var fixture = BrokerFixture.warm()
    #expect(
      fixture.reload { $0[0].settings.limits.connectionsWarm = 3 } == [.dial(2, 0), .dial(3, 0)])
  }

  @Test func otherAgesCountAtOnce() {
    var fixture = BrokerFixture.single()
    fixture.pass(to: 20_000)
    #expect(
      fixture.reload { $0[0].settings.limits.idleLimit = .seconds(10) } == [
        .closeConnection(1, .idleLimit), .dial(2, 0),
      ])
  }

  @Test func otherPingsCountFromWhatWasHeardLast() {
    var fixture = BrokerFixture.single()
    fixture.heard(1, at: 3_000)
    fixture.reload { $0[0].settings.limits.pingInterval = .seconds(5) }
    fixture.heard(1, at: 4_000)
    #expect(fixture.pass(to: 8_999) == [])
    #expect(fixture.pass(to: 9_000) == [.sendPing(1, id: 1)])
  }

  @Test func theTimesOfAcceptedRequestsStay() {
    var fixture = BrokerFixture.single(limits: .with { $0.waitTimeout = .seconds(1) })
    fixture.ask("a")
    fixture.ask("b")
    fixture.reload(limits: .with { $0.waitTimeout = .seconds(9) })
    fixture.ask("c")
    #expect(fixture.deadline(at: 999).isEmpty == false)
    #expect(
      fixture.deadline(at: 1_000) == [
        .finish(
          2, failure(.queueTimeout, retryable: true), done(.error, queued: 1_000, total: 1_000))
      ])
    #expect(fixture.deadline(at: 8_999).contains { $0.isFinish } == false)
    #expect(fixture.deadline(at: 9_000).contains { $0.isFinish })
  }

  @Test func otherPlacesForClientsAndRequestsCountAtOnce() {
    var fixture = BrokerFixture.single()
    fixture.ask("a")
    fixture.reload(
      limits: .with {
        $0.clientsMax = 1
        $0.requestsPerClientMax = 1
      })
    #expect(
      fixture.connect(2) == [
        .refuse(2, failure(.tooManyClients, retryable: true)), .closeClient(2),
      ])
    #expect(
      fixture.ask("b") == [.refuse(1, failure(.tooManyRequests, origin: .client, retryable: true))])
  }

  @Test func aSmallerMemoryForgetsAtOnce() {
    var fixture = BrokerFixture.single()
    fixture.serve("a", response: "r1", as: 1)
    fixture.reload(limits: .with { $0.affinityEntriesMax = 0 })
    let lost = failure(.conversationLost, param: "previous_response_id")
    #expect(
      fixture.ask("b") { $0.previousResponseID = "r1" } == [
        .accept(2, madeID: nil), .finish(2, lost, done(.error)),
      ])
  }

  @Test func batchIsServedAsOftenAsTheNewWeightSays() {
    var fixture = BrokerFixture.single(continuation: .anywhere)
    fixture.run("x", response: "r1", as: 1)
    fixture.ask("b") { $0.priority = .batch }
    for id in ["i", "j", "k"] as [ByteString] { fixture.ask(id) }
    fixture.reload(limits: .with { $0.interactiveWeight = 1 })
    var order: [RequestNumber] = []
    while case .send(let next, _, _) = fixture.event(.ended(.completed, nil)).last {
      order.append(next)
      fixture.handedOver(next)
      fixture.event(.created(ByteString("s\(next.rawValue)".utf8)))
    }
    #expect(order == [3, 2, 4, 5])
  }
}
