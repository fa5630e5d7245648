import Testing

@testable import HotlineCore

@Suite struct BackoffTests {
  var backoff = Backoff()

  /// The delay after a failure at the origin.
  private func delay(isWanted: Bool = false, downSince: MonotonicInstant? = nil) -> Duration? {
    backoff.dialAt(isWanted: isWanted, downSince: downSince).map { t(0).duration(to: $0) }
  }

  private mutating func fail(_ times: Int = 1, fraction: Double = 0, retryAfter: Duration? = nil) {
    for _ in 0..<times {
      backoff.dialFailed(retryAfter: retryAfter, fraction: fraction, at: t(0))
    }
  }

  @Test func withoutFailuresADialMayBeginAtOnce() {
    #expect(delay() == nil)
    #expect(backoff.failures == 0)
  }

  @Test(
    arguments: [
      (1, 250), (2, 500), (3, 1_000), (4, 2_000), (5, 4_000), (6, 4_000), (40, 4_000),
    ])
  mutating func theShortestDelayIsHalfOfAStepThatDoublesToEightSeconds(
    failures: Int, milliseconds: Int
  ) {
    fail(failures, fraction: 0)
    #expect(delay() == .milliseconds(milliseconds))
  }

  @Test(arguments: [(1, 500), (2, 1_000), (3, 2_000), (4, 4_000), (5, 8_000), (6, 8_000)])
  mutating func theLongestDelayIsTheStep(failures: Int, milliseconds: Int) {
    fail(failures, fraction: 1)
    #expect(delay() == .milliseconds(milliseconds))
  }

  @Test mutating func whileARequestWaitsTheDelayIsHalfASecondAtMost() {
    fail(9, fraction: 1)
    #expect(delay(isWanted: true) == .milliseconds(500))
    #expect(delay(isWanted: false) == .seconds(8))
  }

  @Test mutating func theCapDoesNotLengthenAShorterDelay() {
    fail(1, fraction: 0)
    #expect(delay(isWanted: true) == .milliseconds(250))
  }

  @Test mutating func anOutageOfUnderSixSecondsIsTriedTwiceASecond() {
    fail(9, fraction: 1)
    #expect(delay(downSince: t(-5_999)) == .milliseconds(500))
    #expect(delay(downSince: t(-6_000)) == .seconds(8))
    #expect(delay(downSince: nil) == .seconds(8))
  }

  @Test mutating func retryAfterIsHonouredEvenWhileARequestWaits() {
    fail(retryAfter: .seconds(30))
    #expect(delay(isWanted: true, downSince: t(0)) == .seconds(30))
  }

  @Test mutating func retryAfterIsBelievedUpToTenMinutes() {
    fail(retryAfter: .seconds(600))
    #expect(delay() == .seconds(600))
    fail(retryAfter: .seconds(100_000))
    #expect(delay() == .seconds(600))
  }

  @Test mutating func successForgetsEverything() {
    fail(9, retryAfter: .seconds(30))
    backoff.succeeded(dialedAt: t(0))
    #expect(delay() == nil)
    #expect(backoff.failures == 0)
    fail(1, fraction: 1)
    #expect(delay() == .milliseconds(500))
  }

  @Test mutating func anOpeningEndsTheDelayButKeepsTheCount() {
    fail(4, retryAfter: .seconds(30))
    backoff.opened(dialedAt: t(0))
    #expect(delay() == nil)
    #expect(backoff.failures == 4)
    fail(1, fraction: 1)
    #expect(delay() == .seconds(8))
  }

  @Test mutating func whatTheServerAskedForSinceADialBeganOutlivesItsOpening() {
    fail(1, retryAfter: .seconds(30))
    backoff.opened(dialedAt: t(-1))
    #expect(delay() == .seconds(30))
    backoff.succeeded(dialedAt: t(-1))
    #expect(delay() == .seconds(30))
    #expect(backoff.failures == 0)
    backoff.opened(dialedAt: t(0))
    #expect(delay() == nil)
  }

  @Test mutating func whatIsForgottenHoldsNoMore() {
    fail(4, retryAfter: .seconds(30))
    backoff.forget()
    #expect(delay() == nil)
    #expect(backoff.failures == 0)
  }

  @Test mutating func retryAfterNeverShortensTheDelay() {
    fail(4, fraction: 1, retryAfter: .zero)
    #expect(delay() == .seconds(4))
    #expect(delay(isWanted: true) == .milliseconds(500))
  }

  @Test mutating func aLaterFailureDoesNotRevokeRetryAfter() {
    fail(retryAfter: .seconds(30))
    fail()
    #expect(delay() == .seconds(30))
    fail(retryAfter: .seconds(10))
    #expect(delay() == .seconds(30))
  }
}
