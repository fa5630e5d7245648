import HotlineCore
import HotlineTLS
import NIOCore

/// What is known of a connection that has been opened.
package struct UpgradeFacts: Hashable, Sendable {
  /// The sub-protocol that the server chose among those offered.
  package var subprotocol: String?
  /// `Server`, if given; sanitised, secrets struck out, ``headerBytesMax``.
  package var server: String?
  /// `TLSv1.3` and the like; `nil` for plain `ws`.
  package var tlsVersion: String?
  /// The TLS handshake resumed an earlier connection's secrets.
  package var isTLSResumed: Bool?
  /// How messages may be compressed; `nil` if not at all.
  package var deflate: DeflateParameters?

  /// Headers by which a server tells of itself and of its limits: names in lower case, in the order
  /// received; sanitised, secrets struck out, at most ``headersMax``.
  package var headers: [Header] = []

  package struct Header: Hashable, Sendable {
    package let name: String
    package let value: String

    package init(name: String, value: String) {
      self.name = name
      self.value = value
    }
  }

  /// Headers kept.
  package static let headersMax = 16
  /// Bytes of a header's name and of its value.
  package static let headerBytesMax = 128

  package init() {}
}

extension UpgradeFacts {
  init(_ head: HTTPHead, redactor: SecretRedactor) {
    server = head.values("server").first.map { redactor.show($0, bytesMax: Self.headerBytesMax) }
    for field in head.fields where headers.count < Self.headersMax {
      guard Self.isOfInterest(field.name), field.name.utf8.count <= Self.headerBytesMax,
        !headers.contains(where: { $0.name == field.name })
      else { continue }
      let value = redactor.show(field.value, bytesMax: Self.headerBytesMax)
      headers.append(Header(name: redactor.show(field.name.utf8), value: value))
    }
  }

  private static func isOfInterest(_ name: String) -> Bool {
    name == "x-request-id" || name == "x-actual-model" || name.hasPrefix("openai-")
      || name.hasPrefix("x-ratelimit-")
  }
}

/// What an answer to the upgrade may hold.
package struct UpgradeLimits: Hashable, Sendable {
  /// Bytes of one head, its empty line included.
  package var headBytesMax = 16 << 10
  /// Header fields of one head.
  package var fieldsMax = 100
  /// Interim answers (1xx) before the final one.
  package var interimMax = 4
  /// Bytes of a refusal's body that are shown.
  package var bodyBytesMax = 1024
  /// Wait for that body.
  package var bodyTimeout: Duration = .seconds(1)

  package init() {}
}

/// The client's side of the opening handshake after the request was sent: reads the answer.
///
/// Pure value; daemon loop. RFC 6455, 4.1; RFC 9112.
package struct UpgradeExchange {
  package enum Progress: Hashable {
    case incomplete
    /// A head came that refuses the upgrade; its body is waited for.
    case awaitingBody
    /// 101: what is left of the input belongs to the WebSocket.
    case accepted(UpgradeFacts)
    case failed(ConnectionFailure)
  }

  private let request: UpgradeRequest
  private let redactor: SecretRedactor
  private let limits: UpgradeLimits
  private var answer: HTTPAnswer

  package init(_ request: UpgradeRequest, redactor: SecretRedactor, limits: UpgradeLimits) {
    self.request = request
    self.redactor = redactor
    self.limits = limits
    answer = HTTPAnswer(accepted: 101...101, redactor: redactor, limits: limits)
  }

  package mutating func received(_ input: inout ByteBuffer) -> Progress {
    switch answer.received(&input) {
    case .incomplete: return .incomplete
    case .awaitingBody: return .awaitingBody
    case .accepted(let head):
      do throws(ConnectionFailure) {
        return .accepted(try checkAccepted(head))
      } catch {
        return .failed(error)
      }
    case .refused(_, let refusal): return .failed(refusal.failure)
    case .tooManyInterim:
      return .failed(invalid("has more than \(limits.interimMax) interim heads (1xx)"))
    case .malformed(let error, let read): return .failed(invalid(error, read, &input))
    }
  }

  /// The stream ended, or the time to wait for a body did; `nil` if no refusal had come by then.
  package mutating func ended() -> ConnectionFailure? {
    answer.ended().map { _, refusal in refusal.failure }
  }

  // MARK: The 101

  /// The checks that RFC 6455, 4.1 lists for the client.
  private func checkAccepted(_ head: HTTPHead) throws(ConnectionFailure) -> UpgradeFacts {
    guard head.minorVersion >= 1 else { throw invalid("is a 101 of HTTP/1.0") }
    guard head.lists("websocket", in: "upgrade") else {
      throw invalid("is a 101 whose Upgrade field does not say websocket")
    }
    guard head.lists("upgrade", in: "connection") else {
      throw invalid("is a 101 whose Connection field does not say Upgrade")
    }
    guard let expected = Self.acceptKey(request.key) else {
      throw invalid(
        "cannot be checked: OpenSSL's policy on this machine forbids SHA-1, which WebSocket "
          + "prescribes for Sec-WebSocket-Accept (RFC 6455): allow it as a digest, see config(5)")
    }
    guard let accept = head.single("sec-websocket-accept"), accept.elementsEqual(expected.utf8)
    else {
      throw invalid("is a 101 whose Sec-WebSocket-Accept does not belong to this request")
    }
    var facts = UpgradeFacts(head, redactor: redactor)
    facts.deflate = try acceptedDeflate(head)
    facts.subprotocol = try chosenSubprotocol(head)
    return facts
  }

  private func acceptedDeflate(_ head: HTTPHead) throws(ConnectionFailure) -> DeflateParameters? {
    do throws(DeflateParameters.Problem) {
      return try DeflateParameters.accepted(
        head.values("sec-websocket-extensions"), wasOffered: request.offersDeflate)
    } catch {
      throw invalid(error.rawValue)
    }
  }

  private func chosenSubprotocol(_ head: HTTPHead) throws(ConnectionFailure) -> String? {
    guard let first = head.values("sec-websocket-protocol").first else { return nil }
    let chosen = String(decoding: first, as: UTF8.self)
    guard head.single("sec-websocket-protocol") != nil, request.subprotocols.contains(chosen) else {
      throw invalid("is a 101 that chooses a sub-protocol nobody offered")
    }
    return chosen
  }

  /// What `Sec-WebSocket-Accept` must say (RFC 6455, 4.2.2); `nil` where that may not be computed.
  static func acceptKey(_ key: String) -> String? {
    TLSDigest.sha1(Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8)).map(base64)
  }

  // MARK: Failures

  private func invalid(_ what: String) -> ConnectionFailure {
    ConnectionFailure(.upgradeInvalid, "the answer to the upgrade \(what)")
  }

  /// Shows the beginning of what is not HTTP, for it often says what is spoken there instead.
  private func invalid(
    _ error: HTTPHeadError, _ read: [UInt8], _ input: inout ByteBuffer
  ) -> ConnectionFailure {
    guard error == .notHTTP else { return invalid(error.rawValue) }
    let shownMax = 128
    let known = read + input.readableBytesView.prefix(shownMax + redactor.lookaheadBytes)
    return invalid("\(error.rawValue): \(redactor.show(known, bytesMax: shownMax))")
  }
}
