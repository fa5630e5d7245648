package import HotlineCore

/// What one line of a local client asks for.
///
/// Ranges are byte offsets into the line that was parsed; whoever keeps a message keeps its line.
package enum ClientMessage: Hashable, Sendable {
  /// `response.create`.
  case request(ClientRequest)
  /// `response.cancel` of the client's own request.
  case cancel(RequestID, spelling: Range<Int>)
  /// `response.steer`, `response.inject`, `response.interrupt` of the client's own request.
  case forward(ForwardedMessage)
  /// `hotline.ping`; `echo` is the value of its `request_id`, to be written back as spelt.
  case ping(echo: Range<Int>?)
  /// `hotline.status`; `echo` as in ``ping(echo:)``.
  case status(echo: Range<Int>?)
  /// `hotline.stats`; `echo` as in ``ping(echo:)``.
  case stats(echo: Range<Int>?)
  /// `hotline.watch`; `echo` as in ``ping(echo:)``.
  case watch(WatchOptions, echo: Range<Int>?)
  /// `hotline.config`; `echo` as in ``ping(echo:)``.
  case config(echo: Range<Int>?)
  /// `hotline.cancel`: a request of any client; its id is echoed.
  case cancelOther(ClientNumber, RequestID, spelling: Range<Int>)
  /// `hotline.drain`; `echo` as in ``ping(echo:)``.
  case drain(echo: Range<Int>?)
  /// `hotline.reload`; `echo` as in ``ping(echo:)``.
  case reload(echo: Range<Int>?)
  /// The line cannot be accepted; a `nil` spelling is written as `null`.
  case refused(HotlineError, requestIDSpelling: Range<Int>?)

  /// What a line may hold where the local protocol sets a bound; the defaults are the protocol's.
  package struct Limits: Hashable, Sendable {
    /// Objects and arrays within one another: `socket.nesting_max`.
    package var depthMax = 64
    /// Characters (Unicode scalars, escapes resolved) of a `request_id` that is a string.
    package var requestIDCharactersMax = 128
    /// Digits of a `request_id` that is an integer.
    package var requestIDDigitsMax = 20
    /// Characters of `hotline.conversation`.
    package var conversationCharactersMax = 128
    /// Characters of `hotline.upstream`; no configured name is longer.
    package var upstreamCharactersMax = 128
    /// Characters of `hotline.tag`.
    package var tagCharactersMax = 64
    /// Milliseconds of `hotline.queue_timeout_ms` and `hotline.timeout_ms`: a day.
    package var timeoutMillisecondsMax = 86_400_000
    /// Characters of a response id; it is copied and remembered, so it must be small.
    package var responseIDCharactersMax = 1024
    /// Characters of a `model`; a longer one is sent on but not accounted for by its name.
    package var modelCharactersMax = 256
    /// Characters of a `prompt_cache_key`; a longer one is sent on but not read.
    package var promptCacheKeyCharactersMax = 1024
    /// Milliseconds of a watch's `every_ms`: at most an hour.
    package var watchMillisecondsMin = 100
    package var watchMillisecondsMax = 3_600_000
    /// Characters of a name or an option's value that an error repeats.
    package var quotedCharactersMax = 64

    package init() {}
  }

  /// Reads one line in one pass, copying only ids and options; any thread.
  ///
  /// Never fails and never traps, whatever the bytes are: what cannot be accepted is ``refused``.
  /// - Parameter line: One line without its LF, not blank; the ranges in the result count from its
  ///   first byte.
  package static func parse(
    _ line: UnsafeRawBufferPointer, limits: Limits = Limits()
  ) -> ClientMessage {
    var reader = ClientMessageReader(line, limits: limits)
    do throws(JSONError) {
      try reader.read()
    } catch {
      return .refused(.invalidJSON(error, limits), requestIDSpelling: reader.idSpelling)
    }
    do throws(HotlineError) {
      return try reader.message()
    } catch {
      return .refused(error, requestIDSpelling: reader.idSpelling)
    }
  }
}

/// What a `hotline.watch` is to show.
package struct WatchOptions: Hashable, Sendable {
  /// Between two status lines; 0 for none.
  package var everyMilliseconds = 1000
  /// Requests, a line each as they end.
  package var showsRequests = false

  package init() {}
}

/// One `response.create`.
package struct ClientRequest: Hashable, Sendable {
  /// `nil` where the client gave none and the daemon makes one.
  package var id: RequestID?
  /// The value of `request_id` as spelt, quotes included.
  package var idSpelling: Range<Int>?
  package var options: DeliveryOptions
  /// The response that this one continues, escapes resolved; `nil` if missing or not a string.
  package var previousResponseID: ByteString?
  /// The prompt cache's key, escapes resolved; `nil` if missing, not a string or too long to keep.
  package var promptCacheKey: ByteString?
  /// The model, escapes resolved; `nil` if missing, not a string or too long to keep.
  package var model: ByteString?
  package var body: RequestBody
}

/// A client's message that goes to the connection which runs the request it names.
package struct ForwardedMessage: Hashable, Sendable {
  package var kind: ControlMessage
  /// The running request that it is for.
  package var id: RequestID
  /// The value of `request_id` as spelt, quotes included.
  package var idSpelling: Range<Int>
  /// The bytes between the braces that go upstream, `type` among them; never empty.
  package var kept: [Range<Int>]
  /// The response id that the client gave, escapes resolved; `nil` if missing or null.
  package var responseID: ByteString?
  /// The value of the response id's member, a null too; `nil` if there is no such member.
  package var responseIDRange: Range<Int>?
}
