/// A seed that shows a mistake that is easily made: the run keeps every promise, and with the
/// mistake planted again it does not.
///
/// A change to what a world draws, or to what the core decides, gives a seed another run: then
/// `contrib/simulate --fault NAME` finds the seed to stand here.
package struct NamedSeed: Sendable {
  package let seed: UInt64
  /// The name of the planted fault.
  package let fault: String
  package let rule: String

  package static let all = [
    NamedSeed(301, "probesBeforeRetryAfter", "a probe waits for the Retry-After of another dial"),
    NamedSeed(1, "keepsWhatIsTooMany", "a replacement that came too late gives its place back"),
    NamedSeed(
      15, "forgetsEarlierNotices", "a last line counts the notices of an earlier connection"),
    NamedSeed(
      123, "remembersOneResponse", "a late event of before the last response reaches nobody"),
    NamedSeed(
      68, "closesBetweenTwoAnswers", "who asked for two drains is closed after both answers"),
    NamedSeed(
      374, "forgetsWhatPrefersAConnection",
      "what prefers a connection goes on there when others had their turn"),
    NamedSeed(
      372, "continuesOnARetiringConnection",
      "a continuation that comes after a reload is not sent on an old connection"),
    NamedSeed(
      5, "asksForLanesAgainAfterARefusal",
      "a server that refuses lanes is not asked again though its error is passed on"),
    NamedSeed(
      5, "pingsLateAfterAReload", "a reload that shortens ping_interval holds for what is open"),
    NamedSeed(
      109, "forgetsAnEarlierProbe", "a network that keeps changing keeps no dead connection alive"),
    NamedSeed(
      939, "forgetsADialThatIsDue",
      "a time to replace a connection that passes with a pong is not forgotten"),
    NamedSeed(
      21, "trustsACancelThatCameTooLate",
      "a response that ended before it could be cancelled leaves no error to the next"),
    NamedSeed(
      30, "forgetsThatASteerWasAccepted", "what follows a steered response is of its request"),
    NamedSeed(
      64, "forgetsAHoldThatIsOver", "what waits for a limit's reset is woken whatever comes then"),
    NamedSeed(
      560, "wakesForWhatItKeeps",
      "a connection over its age that a limit keeps waiting keeps nobody busy"),
    NamedSeed(
      157, "failsWhoCouldGoElsewhere",
      "who is behind one that fails goes to another upstream where it may"),
    NamedSeed(
      26, "countsNotWhatWaitsElsewhere",
      "what would wait at another upstream counts against queue.requests_max"),
    NamedSeed(
      8, "ignoresWhatIsNotStored", "what is not stored keeps the lane that can continue it"),
    NamedSeed(
      79, "endsWhatIsRefusedASteer",
      "a server that does not know a message about a response goes on with it"),
    NamedSeed(
      49, "warmsUpForNobodyForEver", "a daemon that nobody asks stops to pay for warm-ups"),
  ]

  private init(_ seed: UInt64, _ fault: String, _ rule: String) {
    self.seed = seed
    self.fault = fault
    self.rule = rule
  }
}

extension NamedSeed: CustomStringConvertible {
  package var description: String { rule }
}
