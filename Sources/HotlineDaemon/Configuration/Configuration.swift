import HotlineCore
import HotlineSystem
import HotlineTLS
import HotlineTransport
import HotlineWire
import Logging

/// What the daemon runs by: the configuration file, the environment and the flags, checked.
///
/// An immutable value without secrets: where a key lies is in it, the key is not, see
/// ``UpstreamKeys``. Header values are in it, so it is not to be printed.
package struct Configuration: Hashable, Sendable {
  /// Where a value came from. What ``Configuration/origins`` does not list is a default.
  package enum Origin: String, Hashable, Sendable {
    case `default`, file, environment, flag
  }

  /// What requests get filled in where they leave it out.
  package struct RequestDefaults: Hashable, Sendable {
    package var model: String?
    package var instructions: String?

    package init() {}
  }

  /// Who may speak beside the owner and root, and when the daemon leaves.
  package struct Service: Hashable, Sendable {
    package var allowedUIDs: Set<UInt32> = []
    package var allowedGIDs: Set<UInt32> = []
    /// Time without clients and requests after which an activated daemon ends; zero for never.
    package var exitWhenIdle: Duration = .zero

    package init() {}

    /// Somebody else than the owner and root may speak.
    var admitsOthers: Bool { !allowedUIDs.isEmpty || !allowedGIDs.isEmpty }
  }

  /// Where metrics can be fetched, and where ended requests are noted.
  package struct Monitoring: Hashable, Sendable {
    package var metricsSocket: String?
    package var metricsAddress: MetricsAddress?
    package var accessLog: AccessLog.Target?

    package init() {}
  }

  /// Path of the daemon's own socket; nil where the service manager passed one.
  package var socketPath: String?
  package var service = Service()
  package var monitoring = Monitoring()
  package var limits = Limits()
  package var defaults = RequestDefaults()
  /// By model; what they leave open the upstream's preset may know.
  package var prices: [String: Price] = [:]
  package var budgets = Budgets()
  /// Never empty; in the order of their names.
  package var upstreams: [UpstreamConfiguration]
  /// Index in ``upstreams`` of the one that requests go to which name none, and whose model has no
  /// route.
  package var defaultUpstream: Int
  package var routes = ModelRoutes()
  package var logLevel = Logger.Level.info
  package var logFormat = LogFormat.auto
  /// The file that was read, if there was one.
  package var file: String?
  /// By full key (`socket.path`, `upstream.NAME.url`).
  package var origins: [String: Origin] = [:]
}

/// One server that requests may go to.
package struct UpstreamConfiguration: Hashable, Sendable {
  /// How a request is wrapped on the way to the server.
  package enum Envelope: String, Hashable, Sendable, CaseIterable {
    /// `{"type":"response.create","response":{…}}`
    case nested
    /// The fields beside `type`.
    case flat
  }

  /// Where a response can be continued by its id.
  package enum Continuation: String, Hashable, Sendable, CaseIterable {
    /// On the connection that made it alone.
    case connection
    /// On any connection: the server stores responses.
    case anywhere
  }

  /// Whether messages are compressed: permessage-deflate, RFC 7692.
  package enum Compression: String, Hashable, Sendable, CaseIterable {
    /// Where the server takes it up.
    case auto
    /// It is not offered.
    case off
  }

  /// The header of the upgrade request that carries the key.
  package enum KeyHeader: Hashable, Sendable {
    /// `Authorization: Bearer KEY` (RFC 6750, 2.1)
    case bearer
    /// `NAME: KEY`
    case named(String)

    package var name: String {
      switch self {
      case .bearer: "Authorization"
      case .named(let name): name
      }
    }
  }

  /// A header of the upgrade request, beside the handshake's own.
  package struct Header: Hashable, Sendable {
    package var name: String
    package var value: String

    package init(name: String, value: String) {
      self.name = name
      self.value = value
    }
  }

  /// 1–64 characters of `[A-Za-z0-9_-]`.
  package var name: String
  /// Name of the preset that it began with.
  package var preset: String
  package var endpoint: UpstreamURL
  package var headers: [Header]
  package var envelope: Envelope
  /// `store` is sent as false and must not be asked for otherwise.
  package var storeFalse: Bool
  package var continuation: Continuation
  package var keyHeader: KeyHeader
  /// Names of the upstreams that take what cannot be sent here.
  package var failover: [String] = []
  /// A variable that may hold the key.
  package var keyVariable: String?
  /// The sub-protocol that is asked for (RFC 6455, 1.9).
  package var subprotocol: String?
  /// The model of ``Configuration/RequestDefaults`` is filled in.
  var takesModel: Bool
  /// What is said in one response is no part of the next.
  var isolatesResponses: Bool
  /// A request that asks for nothing else is answered in text.
  var answersInText: Bool
  /// PEM file of the certificate authorities to trust instead of the system's.
  package var caFile: String?
  /// PEM file of authorities to trust beside those.
  package var caFileExtra: String?
  package var clientIdentity: TLSSettings.ClientIdentity?
  /// If not empty, one of these keys has to be in the server's chain.
  package var pins: [TLSPin] = []
  package var tlsMin = TLSSettings.Version.tls12
  /// What it is reached through; its user and password are in it.
  package var proxy: ProxyAddress?
  /// The configuration does not say what it is reached through.
  var usesProxyOfEnvironment = true
  package var compression = Compression.auto
  /// What a new connection is sent that nobody waits for.
  package var warmUp: WarmUpRequest?
  package var limits: UpstreamLimits
  package var keyPolicy: KeyPolicy

  /// What its provider was known to charge, by model: of the preset for its host.
  var presetPrices: [String: Price] { Preset.prices(ofHost: endpoint.host) }

  /// As configured. Its query may hold secrets: print ``UpstreamURL/displayed`` instead.
  package var url: String { endpoint.text }

  var tls: TLSSettings {
    TLSSettings(
      trust: caFile.map { .caFile($0) } ?? .system, caFileExtra: caFileExtra,
      clientIdentity: clientIdentity, pins: pins, leastVersion: tlsMin)
  }

  init(name: String, preset: Preset) {
    self.name = name
    self.preset = preset.name
    endpoint = preset.endpoint
    headers = preset.headers
    envelope = preset.envelope
    storeFalse = preset.storeFalse
    continuation = preset.continuation
    keyHeader = preset.keyHeader
    keyVariable = preset.keyVariable
    subprotocol = preset.subprotocol
    takesModel = preset.takesModel
    isolatesResponses = preset.isolatesResponses
    answersInText = preset.answersInText
    limits = preset.limits
    keyPolicy = preset.wantsKey ? .lookup([]) : .none
  }
}
