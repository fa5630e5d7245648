import HotlineCore

extension Counters {
  /// One counter, or several that differ in one label.
  struct Entry {
    enum Value {
      case one(UInt64)
      /// All values that the label can have, those that never occurred too.
      case each(label: String, [(String, UInt64)])
    }

    let name: String
    /// One sentence.
    let help: String
    let value: Value

    fileprivate init(_ name: String, _ help: String, _ count: UInt64) {
      (self.name, self.help, value) = (name, help, .one(count))
    }

    fileprivate init<Case: RawRepresentable<String> & CaseIterable & Hashable>(
      _ name: String, _ help: String, by label: String, _ counts: [Case: UInt64]
    ) {
      self.name = name
      self.help = help
      value = .each(label: label, Case.allCases.map { ($0.rawValue, counts[$0] ?? 0) })
    }
  }

  /// All of them, in the words of `hotline.stats`.
  var entries: [Entry] {
    [
      Entry("clients_accepted", "Local connections taken.", clientsAccepted),
      Entry("clients_refused", "Local connections refused.", clientsRefused),
      Entry("requests_accepted", "Requests taken.", requestsAccepted),
      Entry("requests_refused", "Lines answered by an error alone.", requestsRefused),
      Entry("requests_hung_up", "Requests cancelled as their client left.", requestsHungUp),
      Entry("requests_resent", "Requests sent a second time.", requestsResent),
      Entry("requests_queued", "Requests told that they wait.", requestsQueued),
      Entry("controls_forwarded", "Control messages sent to servers.", controlsForwarded),
      Entry("cancels_asked", "Responses that servers were asked to end.", cancelsAsked),
      Entry(
        "affinity_hits", "Requests sent on the connection of their conversation or cache key.",
        affinityHits),
      Entry("affinity_misses", "Requests sent on another than that.", affinityMisses),
      Entry(
        "requests_failed_over", "Requests that went to another upstream.", requestsFailedOver),
      Entry(
        "rate_limit_holds", "Times when requests began to wait for a rate limit's reset.",
        rateLimitHolds),
      Entry(
        "circuits_opened", "Times when requests to a server began to fail at once.",
        circuitsOpened),
      Entry("requests_ended", "Requests that have ended.", by: "outcome", requestsEnded),
      Entry("errors", "Errors of the daemon's own, told to clients.", by: "code", errorsByCode),
      Entry("events_delivered", "Events brought to clients.", eventsDelivered),
      Entry(
        "idle_events_ignored", "Events of no response, while none ran.", idleEventsIgnored),
      Entry("abandoned_events", "Events of responses that nobody wanted.", abandonedEvents),
      Entry(
        "responses_dropped", "Unwanted responses ended with their connection.", responsesDropped),
      Entry("responses_drained", "Unwanted responses read to their end.", responsesDrained),
      Entry("connections_dialed", "Dials begun.", connectionsDialed),
      Entry("dials_failed", "Dials that made no connection.", dialsFailed),
      Entry("connections_opened", "Connections to servers opened.", connectionsOpened),
      Entry("connections_lost", "Connections that servers or networks ended.", connectionsLost),
      Entry(
        "connections_closed", "Connections that the daemon closed.", by: "reason",
        connectionsClosed),
      Entry("pings_sent", "Pings sent to servers.", pingsSent),
      Entry("warm_ups_sent", "New connections that were warmed up.", warmUpsSent),
      Entry("warm_ups_failed", "Warm-ups that servers did not complete.", warmUpsFailed),
    ]
  }
}
