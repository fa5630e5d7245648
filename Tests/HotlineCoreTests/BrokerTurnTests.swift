import Testing

@testable import HotlineCore

/// What waits for one lane, or prefers one connection, takes turns with what any may serve.
@Suite struct BrokerTurnTests {
  /// One connection that made `r1` and runs `x`, of client 3, with what continues `r1` behind it.
  private func continuing(_ count: Int) -> BrokerFixture {
    var fixture = BrokerFixture.single(clients: 3)
    fixture.serve("first", response: "r1", as: 1)
    fixture.run("x", response: "rx", as: 2, from: 3) { $0.previousResponseID = "r1" }
    for number in 0..<count {
      fixture.ask(ByteString("b\(number)".utf8)) { $0.previousResponseID = "r1" }
    }
    return fixture
  }

  /// Lets what runs end, begins what is sent next, and says which it is.
  private func next(_ fixture: inout BrokerFixture, on: ConnectionNumber = 1) -> RequestNumber? {
    for case .send(let number, on, _) in fixture.event(.ended(), on: on) {
      fixture.handedOver(number)
      fixture.event(.created(ByteString("n\(number.rawValue)".utf8)), on: on)
      return number
    }
    return nil
  }

  @Test func anotherClientWaitsForOneContinuationAtMost() {
    var fixture = continuing(8)
    fixture.ask("c", from: 2)
    #expect(next(&fixture) == 3)
    #expect(next(&fixture) == 11)
    #expect(next(&fixture) == 4)
    #expect(next(&fixture) == 5)
  }

  @Test func continuationsHaveTheirTurnTooWhileOthersWait() {
    var fixture = continuing(3)
    for number in 0..<3 { fixture.ask(ByteString("c\(number)".utf8), from: 2) }
    let order = (0..<6).map { _ in next(&fixture) }
    #expect(order == [3, 6, 4, 7, 5, 8])
  }

  @Test func whatContinuesAndWhatPrefersHaveOneTurnBetweenThem() {
    var fixture = BrokerFixture.single(clients: 3) { $0.patience = .seconds(60) }
    fixture.serve("first", response: "r1", as: 1) { $0.promptCacheKey = "k" }
    fixture.run("x", response: "rx", as: 2, from: 3) {
      $0.previousResponseID = "r1"
      $0.promptCacheKey = "k"
    }
    fixture.ask("b") { $0.previousResponseID = "r1" }
    fixture.ask("p") { $0.promptCacheKey = "k" }
    fixture.ask("c", from: 2)
    #expect(next(&fixture) == 3)
    #expect(next(&fixture) == 5)
    #expect(next(&fixture) == 4)
  }

  @Test func aFreeLaneElsewhereIsTakenInstead() {
    var fixture = BrokerFixture.warm(clients: 3) {
      $0.connectionsWarm = 2
      $0.connectionsMax = 2
    }
    fixture.serve("first", response: "r1", as: 1)
    fixture.run("x", response: "rx", as: 2) { $0.previousResponseID = "r1" }
    fixture.run("y", response: "ry", as: 3, on: 2, from: 3)
    for number in 0..<3 {
      fixture.ask(ByteString("b\(number)".utf8)) { $0.previousResponseID = "r1" }
    }
    fixture.ask("c", from: 2)
    #expect(next(&fixture) == 4)
    // The turn would be another's now, but that one has found another connection.
    #expect(next(&fixture, on: 2) == 7)
    #expect(next(&fixture) == 5)
  }

  @Test func aBatchRequestThatPrefersAConnectionDoesNotOvertake() {
    var fixture = BrokerFixture.single(clients: 3)
    fixture.serve("warm", response: "r1", as: 1) { $0.promptCacheKey = "k" }
    fixture.run("x", response: "rx", as: 2, from: 3)
    fixture.ask("b") {
      $0.promptCacheKey = "k"
      $0.priority = .batch
    }
    fixture.ask("c", from: 2)
    fixture.ask("d", from: 3)
    #expect(next(&fixture) == 4)
    #expect(next(&fixture) == 5)
    #expect(next(&fixture) == 3)
  }
}
