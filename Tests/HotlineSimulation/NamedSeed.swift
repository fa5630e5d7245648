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
    NamedSeed(972, "probesBeforeRetryAfter", "a probe waits for the Retry-After of another dial"),
    NamedSeed(1, "keepsWhatIsTooMany", "a replacement that came too late gives its place back"),
    NamedSeed(
      621, "forgetsEarlierNotices", "a last line counts the notices of an earlier connection"),
    NamedSeed(
      356, "remembersOneResponse", "a late event of before the last response reaches nobody"),
    NamedSeed(
      68, "closesBetweenTwoAnswers", "who asked for two drains is closed after both answers"),
    NamedSeed(
      109, "forgetsWhatPrefersAConnection",
      "what prefers a connection goes on there when others had their turn"),
    NamedSeed(
      437, "continuesOnARetiringConnection",
      "a continuation that comes after a reload is not sent on an old connection"),
    NamedSeed(
      5, "asksForLanesAgainAfterARefusal",
      "a server that refuses lanes is not asked again though its error is passed on"),
    NamedSeed(
      5, "pingsLateAfterAReload", "a reload that shortens ping_interval holds for what is open"),
    NamedSeed(
      240, "forgetsAnEarlierProbe", "a network that keeps changing keeps no dead connection alive"),
    NamedSeed(
      939, "forgetsADialThatIsDue",
      "a time to replace a connection that passes with a pong is not forgotten"),
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
