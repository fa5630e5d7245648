import Testing

@testable import HotlineCore

/// A request that somebody else cancels.
@Suite struct BrokerCancelTests {
  @Test func itEndsWithAnErrorAndThenAsCancelled() throws {
    var fixture = BrokerFixture.single(clients: 2)
    fixture.ask("a")
    let actions = try fixture.broker.cancelRequested(
      .string("a"), of: 1, by: 2, at: MonotonicInstant(nanoseconds: 0))
    guard case .finish(1, let error?, let completion) = actions.first else {
      Issue.record("\(actions)")
      return
    }
    #expect(error.code == .cancelled)
    #expect(error.sent == .no)
    #expect(completion.outcome == .cancelled)
    #expect(fixture.broker.counters.errorsByCode[.cancelled] == 1)
    #expect(fixture.broker.counters.requestsEnded[.cancelled] == 1)
  }

  @Test func whatAClientLeftBehindCanBeCancelled() throws {
    var fixture = BrokerFixture.single(clients: 2)
    fixture.ask("a") { $0.finishesOnHangup = true }
    let now = MonotonicInstant(nanoseconds: 0)
    _ = fixture.broker.clientClosed(1, at: now)
    let actions = try fixture.broker.cancelRequested(.string("a"), of: 1, by: 2, at: now)
    guard case .finish(1, _?, let completion) = actions.first else {
      Issue.record("\(actions)")
      return
    }
    #expect(completion.outcome == .cancelled)
    #expect(
      performing: {
        _ = try fixture.broker.cancelRequested(.string("a"), of: 1, by: 2, at: now)
      }, throws: { ($0 as? HotlineError)?.code == .unknownRequestID })
  }

  @Test func whatIsNotOpenCannotBeCancelled() {
    var fixture = BrokerFixture.single(clients: 2)
    fixture.ask("a")
    for (id, client) in [("b", ClientNumber(1)), ("a", 2), ("a", 9)] {
      #expect(
        performing: {
          _ = try fixture.broker.cancelRequested(
            .string(ByteString(id.utf8)), of: client, by: 2, at: MonotonicInstant(nanoseconds: 0))
        }, throws: { ($0 as? HotlineError)?.code == .unknownRequestID })
    }
  }

  @Test func othersThanTheOwnerAndRootMayNot() {
    var fixture = BrokerFixture.single(clients: 1)
    fixture.ask("a")
    let now = MonotonicInstant(nanoseconds: 0)
    _ = fixture.broker.clientConnected(8, uid: 4711, isAllowed: true, at: now)
    #expect(
      performing: {
        _ = try fixture.broker.cancelRequested(.string("a"), of: 1, by: 8, at: now)
      }, throws: { ($0 as? HotlineError)?.code == .notAllowed })
    #expect(fixture.broker.openRequestCount(of: 1) == 1)
    _ = fixture.broker.clientConnected(9, uid: 0, at: now)
    #expect(throws: Never.self) {
      try fixture.broker.cancelRequested(.string("a"), of: 1, by: 9, at: now)
    }
  }

  @Test func whoIsNoLongerLetInLosesRequestsAndConnection() {
    var fixture = BrokerFixture.single(clients: 1)
    let now = MonotonicInstant(nanoseconds: 0)
    _ = fixture.broker.clientConnected(8, uid: 4711, isAllowed: true, at: now)
    fixture.ask("a")
    // There is nobody left who should pay for that.
    fixture.ask("b", from: 8) { $0.finishesOnHangup = true }
    let actions = fixture.broker.clientDismissed(8, at: now)
    guard actions.count == 3, case .finish(2, let error?, let completion) = actions[0],
      case .refuse(8, let refusal) = actions[1]
    else {
      Issue.record("\(actions)")
      return
    }
    #expect(error.code == .cancelled)
    #expect(error.sent == .no)
    #expect(!error.isRetryable)
    #expect(completion.outcome == .cancelled)
    #expect(refusal.code == .notAllowed)
    #expect(actions[2] == .closeClient(8))
    #expect(fixture.broker.openRequestCount(of: 8) == 0)
    #expect(fixture.broker.openRequestCount(of: 1) == 1)
    for (client, why) in [(ClientNumber(8), "once"), (1, "the owner"), (9, "nobody")] {
      #expect(fixture.broker.clientDismissed(client, at: now).isEmpty, "\(why)")
    }
  }
}
