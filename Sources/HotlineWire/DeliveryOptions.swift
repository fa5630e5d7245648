package import HotlineCore

/// How a client wants one request served: its `hotline` member, never sent upstream.
package struct DeliveryOptions: Hashable, Sendable {
  /// Who is served first when several requests wait.
  package enum Priority: String, Hashable, Sendable, CaseIterable {
    case interactive
    /// When nothing interactive waits, but never starved.
    case batch
  }

  /// Which of the upstream's events the client wants.
  package enum Events: String, Hashable, Sendable, CaseIterable {
    case all
    /// Text deltas and the terminal event.
    case text
    /// The terminal event only.
    case final
  }

  /// Whether to send once more when the connection dies before any event came.
  package enum Resend: String, Hashable, Sendable, CaseIterable {
    case never
    /// The request may be billed twice.
    case unanswered
  }

  /// What becomes of the request when its client closes.
  package enum Hangup: String, Hashable, Sendable, CaseIterable {
    case cancel, finish
  }

  /// Name of a configured upstream; `nil` is the default one.
  package var upstream: ByteString?
  /// Requests of one conversation prefer one connection and run in order.
  package var conversation: ByteString?
  package var priority = Priority.interactive
  package var events = Events.all
  /// Longest wait for a connection; `nil` is as configured.
  package var queueTimeout: Duration?
  /// Longest whole request; `nil` is as configured.
  package var timeout: Duration?
  package var resend = Resend.never
  package var onHangup = Hangup.cancel
  /// Label for accounting: UTF-8 without control characters; `nil` is the peer's command name.
  package var tag: ByteString?

  package init() {}
}
