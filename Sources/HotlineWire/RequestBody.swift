/// How a `response.create` carries its members.
package enum RequestEnvelope: String, Hashable, Sendable, CaseIterable {
  /// `{"type":"response.create","response":{…}}`.
  case nested
  /// `{"type":"response.create",…}`.
  case flat
}

/// The part of a request's line that goes upstream, as ranges of that line: never copied, never
/// written anew.
package struct RequestBody: Hashable, Sendable {
  /// What stands for `store`.
  package enum Store: Hashable, Sendable {
    case missing
    /// An explicit null, at this place.
    case null(Range<Int>)
    case `true`
    case `false`
    /// Something that only the server can judge.
    case other
  }

  /// The envelope that the client chose.
  package var envelope: RequestEnvelope
  /// The bytes between the braces without the owned members: in order, each but the last with the
  /// comma that parts it from the next; empty if there are no members.
  package var kept: [Range<Int>]
  /// There is a `model`, be it null.
  package var hasModel: Bool
  /// There are `instructions`, be they null.
  package var hasInstructions: Bool
  /// There is a `conversation`, be it null.
  package var hasConversation: Bool
  /// There are `output_modalities`, be they null.
  package var hasOutputModalities: Bool
  package var store: Store

  package init(
    envelope: RequestEnvelope, kept: [Range<Int>], hasModel: Bool = false,
    hasInstructions: Bool = false, hasConversation: Bool = false,
    hasOutputModalities: Bool = false, store: Store = .missing
  ) {
    self.envelope = envelope
    self.kept = kept
    self.hasModel = hasModel
    self.hasInstructions = hasInstructions
    self.hasConversation = hasConversation
    self.hasOutputModalities = hasOutputModalities
    self.store = store
  }

  /// No member is left to send.
  package var isEmpty: Bool { kept.isEmpty }
}

extension RequestBody {
  init(
    _ object: ClientMessageObject, _ envelope: RequestEnvelope,
    without stripped: ClientMessageMembers
  ) {
    let store: Store
    switch (object.store?.kind, object.store?.range) {
    case (nil, _): store = .missing
    case (.null, let range?): store = .null(range)
    case (.true, _): store = .true
    case (.false, _): store = .false
    default: store = .other
    }
    self.init(
      envelope: envelope, kept: object.kept(without: stripped),
      hasModel: object.seen.contains(.model),
      hasInstructions: object.seen.contains(.instructions),
      hasConversation: object.seen.contains(.conversation),
      hasOutputModalities: object.seen.contains(.outputModalities), store: store)
  }
}
