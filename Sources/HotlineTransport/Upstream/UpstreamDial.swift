import HotlineCore
import HotlineTLS
import NIOCore

/// One dial, from the name to the pipeline that the handler joins. Confined to its loop.
final class UpstreamDial {
  /// Makes a channel that can be connected to an address of this kind.
  typealias ChannelMaker = (SocketAddress) throws(IOError) -> StreamChannel

  /// Addresses that a SOCKS proxy is asked for, one after the other.
  private static let targetsMax = 8

  /// Which lets go of this when the dial is over.
  private let handler: UpstreamHandler
  private let lookups: PendingLookups
  private let makeChannel: ChannelMaker
  private var connector: TCPConnector?
  private var channel: (any Channel)?
  private var isCancelled = false
  /// Addresses of the server that a proxy has not been asked for yet.
  private var targets: ArraySlice<ProxySOCKS.Target> = []
  private var targetFailures: [String] = []
  /// What is being done, but for a connector's own report.
  private var step = "looking up the name"

  init(
    _ handler: UpstreamHandler, lookups: PendingLookups,
    makeChannel: @escaping ChannelMaker
  ) {
    self.handler = handler
    self.lookups = lookups
    self.makeChannel = makeChannel
  }

  private var endpoint: UpstreamEndpoint { handler.endpoint }
  private var eventLoop: any EventLoop { handler.eventLoop }

  /// For the message of a dial that took too long.
  var progress: String { connector.map { "\(step): \($0.report)" } ?? step }

  func start() {
    guard let proxy = endpoint.proxy else { return connectDirectly() }
    switch proxy.address.kind {
    case .http, .https:
      connect(to: proxy, ask: .name(endpoint.address.host))
    case .socks5h:
      connect(to: proxy, ask: remoteTarget(proxy))
    case .socks5:
      guard !endpoint.address.isIPAddress else {
        return connect(to: proxy, ask: remoteTarget(proxy))
      }
      lookUpTargets(for: proxy)
    }
  }

  func cancel() {
    isCancelled = true
    connector?.cancel()
    connector = nil
    channel?.close(promise: nil)
    channel = nil
  }

  private func fail(_ kind: ConnectionFailure.Kind, _ detail: String, retryAfter: Duration? = nil) {
    guard !isCancelled else { return }
    handler.dialFailed(ConnectionFailure(kind, detail, retryAfter: retryAfter))
  }

  // MARK: Without a proxy

  private func connectDirectly() {
    let address = endpoint.address
    step = "connecting"
    if let path = address.socketPath {
      // Later, as it may succeed or fail while it is begun.
      return eventLoop.assumeIsolated().execute { [self] in connect(toSocket: path) }
    }
    open(address.host, address.port, address.isIPAddress) { [self] channel, report in
      guard let channel else {
        return fail(.unreachable, "cannot connect to \(address): \(report)")
      }
      handler.join(channel)
    }
  }

  private func connect(toSocket path: String) {
    guard !isCancelled else { return }
    do {
      let target = try SocketAddress(unixDomainSocketPath: path)
      let channel = try makeChannel(target)
      self.channel = channel
      channel.connect(to: target).assumeIsolated().whenComplete { [self] result in
        guard !isCancelled else { return }
        self.channel = nil
        switch result {
        case .success:
          handler.times.connected = .now()
          handler.peerAddress = path
          handler.join(channel)
        case .failure(let error): failed(toSocket: path, error)
        }
      }
    } catch {
      failed(toSocket: path, error)
    }
  }

  private func failed(toSocket path: String, _ error: any Error) {
    fail(.unreachable, "cannot connect to the socket \(path): \(describe(error))")
  }

  private func open(
    _ host: String, _ port: Int, _ isIPAddress: Bool,
    _ completion: @escaping ((any Channel)?, String) -> Void
  ) {
    let connector = TCPConnector(
      to: host, port: port, isIPAddress: isIPAddress, eventLoop: eventLoop, lookups: lookups,
      makeChannel: makeChannel)
    self.connector = connector
    connector.start { [self] channel in
      self.connector = nil
      if let channel {
        handler.times.connected = .now()
        handler.peerAddress = channel.remoteAddress.flatMap { address in
          address.ipAddress.map { "\($0) port \(address.port ?? port)" }
        }
      }
      completion(channel, connector.report)
    }
  }

  // MARK: Through a proxy

  private func remoteTarget(_ proxy: UpstreamEndpoint.Proxy) -> ProxySOCKS.Target {
    let host = endpoint.address.host
    return NameLookup.addressBytes(host).map { .address($0, text: host) } ?? .name(host)
  }

  private func lookUpTargets(for proxy: UpstreamEndpoint.Proxy) {
    lookups.ask(for: endpoint.address.host, .any) { [weak self] in self?.targetsFound($0, proxy) }
  }

  private func targetsFound(
    _ result: PendingLookups.Answer, _ proxy: UpstreamEndpoint.Proxy
  ) {
    guard !isCancelled else { return }
    switch result {
    case .success(let addresses):
      targets =
        addresses.prefix(Self.targetsMax).compactMap { text in
          NameLookup.addressBytes(text).map { .address($0, text: text) }
        }[...]
      askForNextTarget(proxy)
    case .failure(let failure):
      fail(
        .unreachable,
        "cannot connect to \(endpoint.address): no address: \(failure.description) (a proxy of "
          + "the kind socks5h:// looks up names itself)")
    }
  }

  private func askForNextTarget(_ proxy: UpstreamEndpoint.Proxy) {
    guard let target = targets.popFirst() else {
      let failures = targetFailures.isEmpty ? ["found no address"] : targetFailures
      return fail(
        .unreachable, "the proxy \(proxy.address) \(failures.joined(separator: "; "))")
    }
    connect(to: proxy, ask: target)
  }

  private func connect(to proxy: UpstreamEndpoint.Proxy, ask target: ProxySOCKS.Target) {
    let address = proxy.address
    step = "connecting to the proxy \(address)"
    open(address.host, address.port, address.isIPAddress) { [self] channel, report in
      guard let channel else {
        return fail(.unreachable, "cannot connect to the proxy \(address): \(report)")
      }
      self.channel = channel
      ask(proxy, for: target, on: channel)
    }
  }

  private func ask(
    _ proxy: UpstreamEndpoint.Proxy, for target: ProxySOCKS.Target, on channel: any Channel
  ) {
    let pipeline = channel.pipeline.syncOperations
    step = "waiting for the proxy \(proxy.address)"
    let talk = ProxyHandler(
      exchange(proxy.address, target), awaitsTLS: proxy.tls != nil,
      bodyTimeout: handler.options.upgrade.bodyTimeout
    ) { [self] result in answered(proxy, result, on: channel) }
    do {
      if let tls = proxy.tls {
        let engine = try TLSEngine(
          context: tls, serverName: proxy.address.host, port: UInt16(proxy.address.port))
        try pipeline.addHandler(TLSHandler(engine: engine))
      }
      try pipeline.addHandler(talk)
      try channel.syncOptions?.setOption(.autoRead, value: true)
    } catch {
      fail(.tls, "the proxy \(proxy.address): \(describe(error))")
    }
  }

  private func exchange(
    _ proxy: ProxyAddress, _ target: ProxySOCKS.Target
  ) -> any TunnelExchange {
    switch proxy.kind {
    case .http, .https:
      ProxyConnect(
        to: endpoint.address.description, credentials: proxy.credentials,
        redactor: endpoint.redactor, limits: handler.options.upgrade)
    case .socks5, .socks5h:
      ProxySOCKS(to: target, port: endpoint.address.port, credentials: proxy.credentials)
    }
  }

  private func answered(
    _ proxy: UpstreamEndpoint.Proxy, _ result: Result<Void, ProxyHandler.Failure>,
    on channel: any Channel
  ) {
    guard !isCancelled else { return }
    self.channel = nil
    switch result {
    case .success:
      handler.times.tunnelled = .now()
      return handler.join(channel)
    case .failure(.tls(let words)):
      fail(.tls, "the proxy \(proxy.address): \(words)")
    case .failure(.tunnel(let failure)):
      tunnelFailed(proxy, failure)
    }
    channel.close(promise: nil)
  }

  private func tunnelFailed(_ proxy: UpstreamEndpoint.Proxy, _ failure: TunnelFailure) {
    if failure.kind == .unreachable, !targets.isEmpty {
      targetFailures.append(failure.detail)
      return askForNextTarget(proxy)
    }
    let kind: ConnectionFailure.Kind = failure.kind == .refused ? .proxyRefused : .unreachable
    let details = (targetFailures + [failure.detail]).joined(separator: "; ")
    fail(kind, "the proxy \(proxy.address) \(details)", retryAfter: failure.retryAfter)
  }
}

extension UpstreamHandler {
  /// There is a way to the server: the handlers join the channel, unless the dial has ended
  /// meanwhile.
  fileprivate func join(_ channel: any Channel) {
    guard phase == .dialing else {
      channel.close(promise: nil)
      return
    }
    let pipeline = channel.pipeline.syncOperations
    do {
      if let context = endpoint.tls {
        let engine = try TLSEngine(
          context: context, serverName: endpoint.address.host,
          port: UInt16(endpoint.address.port))
        try pipeline.addHandler(TLSHandler(engine: engine))
      }
      try pipeline.addHandler(self)
      try channel.syncOptions?.setOption(.autoRead, value: true)
    } catch {
      channel.close(promise: nil)
      dialFailed(
        ConnectionFailure(
          endpoint.tls == nil ? .lost : .tls, "\(endpoint.address): \(describe(error))"))
    }
  }
}
