import Testing

@testable import HotlineCore

@Suite struct KeepaliveTests {
  var keepalive = Keepalive(interval: .seconds(25), timeout: .seconds(10), at: t(0))

  @Test mutating func aQuietConnectionIsPingedAtTheIntervalNotBefore() {
    #expect(keepalive.nextDeadline == t(25_000))
    #expect(keepalive.deadlineReached(at: t(24_999)) == nil)
    #expect(keepalive.deadlineReached(at: t(25_000)) == .sendPing(id: 1))
    #expect(keepalive.nextDeadline == t(35_000))
  }

  @Test mutating func aMissingPongIsDeathAtTheTimeoutNotBefore() {
    _ = keepalive.deadlineReached(at: t(25_000))
    #expect(keepalive.deadlineReached(at: t(34_999)) == nil)
    #expect(keepalive.deadlineReached(at: t(35_000)) == .dead(after: .seconds(10)))
    #expect(keepalive.nextDeadline == nil)
  }

  @Test mutating func deathIsSaidOnceAndIsFinal() {
    _ = keepalive.deadlineReached(at: t(25_000))
    _ = keepalive.deadlineReached(at: t(35_000))
    #expect(keepalive.deadlineReached(at: t(99_000)) == nil)
    keepalive.heard(at: t(99_000))
    #expect(keepalive.nextDeadline == nil)
    keepalive.pongReceived(id: 1, at: t(99_000))
    #expect(keepalive.nextDeadline == nil)
  }

  @Test mutating func anythingHeardPostponesThePing() {
    keepalive.heard(at: t(20_000))
    #expect(keepalive.nextDeadline == t(45_000))
    #expect(keepalive.deadlineReached(at: t(25_000)) == nil)
    #expect(keepalive.deadlineReached(at: t(45_000)) == .sendPing(id: 1))
  }

  @Test mutating func anythingHeardAnswersThePing() {
    _ = keepalive.deadlineReached(at: t(25_000))
    keepalive.heard(at: t(34_999))
    #expect(keepalive.nextDeadline == t(59_999))
    #expect(keepalive.deadlineReached(at: t(35_000)) == nil)
    #expect(keepalive.deadlineReached(at: t(59_999)) == .sendPing(id: 2))
  }

  @Test mutating func aPongAnswersThePingAndMeasuresTheRoundTrip() {
    #expect(keepalive.roundTrip == nil)
    _ = keepalive.deadlineReached(at: t(25_000))
    keepalive.pongReceived(id: 1, at: t(25_040))
    #expect(keepalive.roundTrip == .milliseconds(40))
    #expect(keepalive.nextDeadline == t(50_040))
  }

  @Test mutating func aPongOfAnotherPingShowsLifeButMeasuresNothing() {
    keepalive.pongReceived(id: 0, at: t(1_000))
    #expect(keepalive.roundTrip == nil)
    #expect(keepalive.nextDeadline == t(26_000))
    _ = keepalive.deadlineReached(at: t(26_000))
    keepalive.pongReceived(id: 7, at: t(27_000))
    #expect(keepalive.roundTrip == nil)
    #expect(keepalive.nextDeadline == t(52_000))
  }

  @Test mutating func theRoundTripIsMeasuredThoughItsBytesWereCountedAsLifeBefore() {
    _ = keepalive.deadlineReached(at: t(25_000))
    keepalive.heard(at: t(25_030))
    keepalive.pongReceived(id: 1, at: t(25_030))
    #expect(keepalive.roundTrip == .milliseconds(30))
  }
}
