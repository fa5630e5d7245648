import HotlineCore
import HotlineTLS
import HotlineTransport
import HotlineWire

/// One upstream as the driver needs it.
struct UpstreamRuntime: Sendable {
  let configuration: UpstreamConfiguration
  var endpoint: UpstreamEndpoint
  let dialect: UpstreamDialect
  /// The model of its warm-ups, which they are accounted for by.
  let warmUpModel: String?
  /// Its configuration's, looked up once.
  let presetPrices: [String: Price]
  /// Of what the files say that decide whom to trust; the same within one process only.
  var filesDigest = 0
  /// What compression has kept off the wires of connections that are gone.
  var bytesSaved = 0
  /// A reload no longer knows it: what was accepted for it is finished, and no more.
  var isRemoved = false

  var options: UpstreamHandler.Options {
    var options = UpstreamHandler.Options()
    options.eventBytesMax = configuration.limits.eventBytesMax
    options.connectTimeout = configuration.limits.connectTimeout
    options.offersDeflate = configuration.compression == .auto
    return options
  }

  /// With what `old` has counted, and unless whom to trust and whom to be has changed its tickets.
  func continuing(_ old: UpstreamRuntime) -> UpstreamRuntime {
    var runtime = self
    runtime.bytesSaved = old.bytesSaved
    if old.configuration.tls == configuration.tls, old.filesDigest == filesDigest {
      runtime.endpoint.keepTLS(of: old.endpoint)
    }
    return runtime
  }

  /// Whether connections that `old` made are not what this one would make.
  ///
  /// What is not known to be of no matter to an open connection is taken to matter.
  func needsNewConnections(insteadOf old: UpstreamRuntime) -> Bool {
    var before = old.configuration
    before.limits = configuration.limits
    before.keyPolicy = configuration.keyPolicy
    before.storeFalse = configuration.storeFalse
    before.continuation = configuration.continuation
    before.warmUp = configuration.warmUp
    let limits = configuration.limits
    return before != configuration || old.configuration.limits.lanes != limits.lanes
      || old.configuration.limits.eventBytesMax != limits.eventBytesMax
      // The key is in one of them.
      || old.endpoint.headers != endpoint.headers || old.filesDigest != filesDigest
  }
}

extension UpstreamConfiguration {
  /// The files that its TLS reads.
  var trustFiles: [String] {
    [caFile, caFileExtra, clientIdentity?.certificateFile, clientIdentity?.keyFile]
      .compactMap { $0 }
  }

  /// The places of the system's trust store, if its TLS reads that.
  var systemTrustPaths: [String] {
    let hasTLS = endpoint.isSecure || proxy?.isSecure == true
    return hasTLS && caFile == nil ? TLSSettings.systemTrustPaths : []
  }

  /// What the core needs of it.
  var settings: UpstreamSettings {
    UpstreamSettings(
      name: name, limits: limits,
      continuation: continuation == .connection ? .connection : .anywhere,
      forcesStoreFalse: storeFalse,
      warmsUp: warmUp != nil)
  }
}
