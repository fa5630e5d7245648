import Testing

@testable import HotlineCore

@Suite struct BrokerRefusalTests {
  // MARK: Clients

  @Test(arguments: [UInt32(1000), 0])
  func theOwnerAndRootMaySpeak(uid: UInt32) {
    var fixture = BrokerFixture(clients: 0)
    #expect(fixture.connect(1, uid: uid) == [])
    #expect(fixture.broker.counters.clientsAccepted == 1)
  }

  @Test func whomTheConfigurationLetsInMaySpeakAndNoMore() {
    var fixture = BrokerFixture(clients: 0)
    let actions = fixture.broker.clientConnected(1, uid: 1001, isAllowed: true, at: t(0))
    #expect(actions == [])
    #expect(fixture.broker.commandRefusal(for: 1)?.code == .notAllowed)
  }

  @Test func anotherUserIsRefusedAndClosed() {
    var fixture = BrokerFixture(clients: 0)
    #expect(
      fixture.connect(1, uid: 1001) == [
        .refuse(1, failure(.notAllowed, origin: .client)), .closeClient(1),
      ])
    #expect(fixture.ask("a") == [])
    #expect(fixture.hangUp(1) == [])
    #expect(fixture.broker.counters.clientsRefused == 1)
  }

  @Test func oneClientTooManyIsRefusedUntilOneLeaves() {
    var fixture = BrokerFixture(clients: 2, limits: .with { $0.clientsMax = 2 })
    #expect(
      fixture.connect(3) == [
        .refuse(3, failure(.tooManyClients, retryable: true)), .closeClient(3),
      ])
    fixture.hangUp(1)
    #expect(fixture.connect(4) == [])
  }

  // MARK: Ids

  @Test func anOpenIdIsRefusedAndTheOpenRequestIsNotTouched() {
    var fixture = BrokerFixture.single()
    fixture.run("a", response: "resp", as: 1)
    let error = failure(
      .duplicateRequestID, origin: .client, retryable: true, param: "request_id")
    #expect(fixture.ask("a") == [.refuse(1, error)])
    #expect(fixture.event(.text) == [.deliver(1)])
    fixture.event(.ended())
    #expect(fixture.ask("a") == [.accept(2, madeID: nil), .send(2, on: 1, lane: nil)])
  }

  @Test func anIdIsTheClientsOwn() {
    var fixture = BrokerFixture.warm(clients: 2)
    fixture.ask("a", from: 1)
    #expect(fixture.ask("a", from: 2).first == .accept(2, madeID: nil))
  }

  @Test func anIntegerAndItsStringDiffer() {
    var fixture = BrokerFixture.warm()
    fixture.ask("1")
    #expect(fixture.ask(nil) { $0.id = .integer("1") }.first == .accept(2, madeID: nil))
  }

  @Test func idsAreMadePerClientAndSkipOpenOnes() {
    var fixture = BrokerFixture.warm(clients: 2)
    #expect(fixture.ask(nil).first == .accept(1, madeID: "r1"))
    fixture.ask("r2")
    #expect(fixture.ask(nil).first == .accept(3, madeID: "r3"))
    #expect(fixture.ask(nil, from: 2).first == .accept(4, madeID: "r1"))
    let error = failure(
      .duplicateRequestID, origin: .client, retryable: true, param: "request_id")
    #expect(fixture.ask("r3") == [.refuse(1, error)])
  }

  // MARK: Limits

  @Test func aClientHasNoMoreOpenRequestsThanItMay() {
    var fixture = BrokerFixture.warm(clients: 2, limits: .with { $0.requestsPerClientMax = 2 })
    fixture.ask("a")
    #expect(fixture.ask("b").first == .accept(2, madeID: nil))
    let error = failure(.tooManyRequests, origin: .client, retryable: true)
    #expect(fixture.ask("c") == [.refuse(1, error)])
    #expect(fixture.ask("c", from: 2).first == .accept(3, madeID: nil))
    fixture.cancel("b")
    #expect(fixture.ask("c").first == .accept(4, madeID: nil))
    #expect(fixture.broker.counters.requestsRefused == 1)
    #expect(fixture.broker.counters.errorsByCode == [.tooManyRequests: 1])
  }

  @Test func theQueueIsFullAtItsLimit() {
    var fixture = BrokerFixture.single(limits: .with { $0.queueRequestsMax = 2 })
    fixture.ask("a")
    fixture.ask("b")
    #expect(fixture.ask("c") == [.accept(3, madeID: nil)])
    #expect(fixture.ask("d") == [.refuse(1, failure(.queueFull, retryable: true))])
    fixture.cancel("b")
    #expect(fixture.ask("d") == [.accept(4, madeID: nil)])
  }

  @Test func whatMustWaitIsRefusedThoughAConnectionIsFree() {
    var fixture = BrokerFixture.warm(limits: .with { $0.queueRequestsMax = 1 }) {
      $0.connectionsWarm = 2
      $0.connectionsMax = 2
    }
    fixture.run("a", response: "r1", as: 1) { $0.conversation = "c" }
    fixture.ask("b") { $0.conversation = "c" }
    let full: [Action] = [.refuse(1, failure(.queueFull, retryable: true))]
    #expect(fixture.ask("d") { $0.conversation = "c" } == full)
    fixture.cancel("b")
    fixture.event(.ended())
    fixture.run("e", response: "r2", as: 3) { $0.previousResponseID = "r1" }
    fixture.ask("f") { $0.previousResponseID = "r1" }
    #expect(fixture.ask("g") { $0.previousResponseID = "r1" } == full)
    #expect(fixture.ask("h") { $0.conversation = "c" } == full)
    #expect(fixture.ask("i") == [.accept(5, madeID: nil), .send(5, on: 2, lane: nil)])
    #expect(fixture.ask("j") { $0.previousResponseID = "r9" }.count == 2)
  }

  @Test func aFullQueueElsewhereDoesNotRefuseWhatGoesAtOnce() {
    let settings = ["a", "b"].map { name in
      var limits = UpstreamLimits()
      limits.connectionsMax = 1
      return UpstreamSettings(name: name, limits: limits)
    }
    var limits = Limits()
    limits.queueRequestsMax = 1
    var fixture = BrokerFixture(limits: limits, upstreams: settings)
    fixture.start()
    fixture.opened(2, of: 1)
    #expect(fixture.ask("a") == [.accept(1, madeID: nil)])
    #expect(fixture.ask("b") == [.refuse(1, failure(.queueFull, retryable: true))])
    #expect(
      fixture.ask("c", upstream: 1) == [.accept(2, madeID: nil), .send(2, on: 2, lane: nil)])
  }

  @Test func overTheMemoryLimitNothingIsAccepted() {
    var fixture = BrokerFixture.warm(limits: .with { $0.memoryBytesMax = 100 })
    #expect(
      fixture.ask("a", memoryHeld: 101) == [.refuse(1, failure(.queueFull, retryable: true))])
    #expect(fixture.ask("a", memoryHeld: 100).first == .accept(1, madeID: nil))
  }

  @Test func aLineRefusedBeforeTheCoreIsCounted() {
    var fixture = BrokerFixture.warm()
    let error = failure(.invalidJSON, origin: .client)
    #expect(fixture.broker.requestRefused(error, from: 1) == [.refuse(1, error)])
    #expect(fixture.broker.counters.errorsByCode == [.invalidJSON: 1])
  }

  @Test func aRequestOfAClientThatIsGoneIsIgnored() {
    var fixture = BrokerFixture.warm()
    fixture.hangUp(1)
    #expect(fixture.ask("a") == [])
    #expect(fixture.hangUp(1) == [])
    #expect(fixture.halfClose(1) == [])
  }
}
