import NIOCore

extension StreamChannel {
  package var syncOptions: (any NIOSynchronousChannelOptions)? { Options(channel: self) }

  package func setOption<Option: ChannelOption>(
    _ option: Option, value: Option.Value
  ) -> EventLoopFuture<Void> {
    eventLoop.makeCompletedFuture { try Options(channel: self).setOption(option, value: value) }
  }

  package func getOption<Option: ChannelOption>(
    _ option: Option
  ) -> EventLoopFuture<Option.Value> {
    eventLoop.makeCompletedFuture { try Options(channel: self).getOption(option) }
  }

  /// Those that are used.
  private struct Options: NIOSynchronousChannelOptions {
    let channel: StreamChannel

    func setOption<Option: ChannelOption>(_ option: Option, value: Option.Value) throws {
      switch value {
      case let value as Bool where option is ChannelOptions.Types.AutoReadOption:
        channel.setAutomaticReading(value)
      case let value as Bool where option is ChannelOptions.Types.AllowRemoteHalfClosureOption:
        channel.reading.mayEndAlone = value
      case let value as ChannelOptions.Types.WriteBufferWaterMark:
        channel.writing.waterMark = value
      default:
        throw ChannelError.operationUnsupported
      }
    }

    func getOption<Option: ChannelOption>(_ option: Option) throws -> Option.Value {
      let value: Any? =
        switch option {
        case is ChannelOptions.Types.AutoReadOption: channel.reading.isAutomatic
        case is ChannelOptions.Types.AllowRemoteHalfClosureOption: channel.reading.mayEndAlone
        case is ChannelOptions.Types.WriteBufferWaterMarkOption: channel.writing.waterMark
        case is ChannelOptions.Types.BufferedWritableBytesOption: channel.writing.bytes
        default: nil
        }
      guard let value = value as? Option.Value else { throw ChannelError.operationUnsupported }
      return value
    }
  }

  /// Nothing is read before somebody asks for it.
  func prepareForUpstream(waterMark: ChannelOptions.Types.WriteBufferWaterMark) {
    reading.isAutomatic = false
    reading.countMax = 4
    writing.waterMark = waterMark
  }

  private func setAutomaticReading(_ isAutomatic: Bool) {
    guard reading.isAutomatic != isAutomatic else { return }
    reading.isAutomatic = isAutomatic
    guard isActive else { return }
    if isAutomatic {
      read0()
    } else {
      reading.isWanted = false
      watch(for: .reading, false)
    }
  }
}

/// What NIO asks for and nobody here uses.
extension StreamChannel {
  package func localAddress0() throws -> SocketAddress { throw ChannelError.operationUnsupported }
  package func remoteAddress0() throws -> SocketAddress { throw ChannelError.operationUnsupported }
  package func register0(promise: EventLoopPromise<Void>?) { promise?.succeed() }
  package func registerAlreadyConfigured0(promise: EventLoopPromise<Void>?) { promise?.succeed() }
  package func channelRead0(_ data: NIOAny) {}
  package func errorCaught0(error: any Error) {}

  package func bind0(to: SocketAddress, promise: EventLoopPromise<Void>?) {
    promise?.fail(ChannelError.operationUnsupported)
  }

  package func connect0(to: SocketAddress, promise: EventLoopPromise<Void>?) {
    promise?.fail(ChannelError.operationUnsupported)
  }

  package func triggerUserOutboundEvent0(_ event: Any, promise: EventLoopPromise<Void>?) {
    promise?.fail(ChannelError.operationUnsupported)
  }
}
