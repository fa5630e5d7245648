/// What the core has decided since start, counted.
package struct Counters: Hashable, Sendable {
  package var clientsAccepted: UInt64 = 0
  package var clientsRefused: UInt64 = 0
  package var requestsAccepted: UInt64 = 0
  package var requestsRefused: UInt64 = 0
  package var requestsHungUp: UInt64 = 0
  package var requestsResent: UInt64 = 0
  /// Requests that were told that they wait.
  package var requestsQueued: UInt64 = 0
  package var controlsForwarded: UInt64 = 0
  /// Responses that servers were asked to end.
  package var cancelsAsked: UInt64 = 0
  /// Requests that preferred a connection and were sent on it, and on another.
  package var affinityHits: UInt64 = 0
  package var affinityMisses: UInt64 = 0
  /// Moves of requests that were never sent to another upstream.
  package var requestsFailedOver: UInt64 = 0
  /// Times when an upstream's requests began to wait for the reset of a rate limit.
  package var rateLimitHolds: UInt64 = 0
  /// Times when an upstream began to refuse requests at once.
  package var circuitsOpened: UInt64 = 0
  package var requestsEnded: [Outcome: UInt64] = [:]
  package var errorsByCode: [HotlineError.Code: UInt64] = [:]
  package var eventsDelivered: UInt64 = 0
  /// Events of other types than a response's that came while nothing ran: ignored.
  package var idleEventsIgnored: UInt64 = 0
  /// Events of responses that nobody wanted any more: reached nobody.
  package var abandonedEvents: UInt64 = 0
  package var responsesDropped: UInt64 = 0
  package var responsesDrained: UInt64 = 0
  package var connectionsDialed: UInt64 = 0
  /// Dials that made no connection.
  package var dialsFailed: UInt64 = 0
  package var connectionsOpened: UInt64 = 0
  package var connectionsLost: UInt64 = 0
  package var connectionsClosed: [CloseReason: UInt64] = [:]
  package var pingsSent: UInt64 = 0
  package var warmUpsSent: UInt64 = 0
  /// Those that did not end as they should: refused, failed, overdue, lost.
  package var warmUpsFailed: UInt64 = 0

  package init() {}
}
