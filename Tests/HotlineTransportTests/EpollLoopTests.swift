import NIOCore
import Synchronization
import TestSupport
import Testing

@testable import HotlineTransport

struct EpollLoopTests {
  @Test func whatOtherThreadsAskForIsDoneInTheirOrder() async throws {
    let loop = EpollLoop()
    let done = Mutex<[Int]>([])
    for number in 1...1000 { loop.execute { done.withLock { $0.append(number) } } }
    let count = try await loop.submit { done.withLock { $0.count } }.get()
    #expect(count == 1000)
    #expect(done.withLock { $0 } == Array(1...1000))
    try await loop.shutdownGracefully()
  }

  @Test func timersGoOffInTheOrderOfTheirInstantsUnlessTheyAreCancelled() async throws {
    let loop = EpollLoop()
    let order = try await loop.flatSubmit {
      let start = NIODeadline.now()
      let heard = NIOLoopBoundBox<[Int]>([], eventLoop: loop)
      let last = loop.scheduleTask(deadline: start + .milliseconds(4)) {
        heard.value.append(3)
        return heard.value
      }
      _ = loop.scheduleTask(deadline: start + .milliseconds(2)) { heard.value.append(1) }
      loop.scheduleTask(deadline: start + .milliseconds(1)) { heard.value.append(0) }.cancel()
      _ = loop.scheduleTask(deadline: start + .milliseconds(2)) { heard.value.append(2) }
      return last.futureResult
    }.get()
    #expect(order == [1, 2, 3])
    try await loop.shutdownGracefully()
  }

  @Test func tasksThatAskForTasksHoldUpNoDescriptor() async throws {
    let loop = EpollLoop()
    let pair = try SocketPair()
    let heard = try await loop.flatSubmit {
      let channel = StreamChannel(pair.ours, on: loop)
      let recorder = ChannelRecorder(loop)
      try? channel.pipeline.syncOperations.addHandler(recorder)
      channel.serve()
      func again() { if !recorder.isOver { loop.assumeIsolated().execute { again() } } }
      again()
      pair.closePeer()
      return recorder.over
    }.get()
    #expect(heard.ends == ["active", "inactive"])
    try await loop.shutdownGracefully()
  }

  @Test func anEndingLoopClosesItsChannelsAndFinishesWhatItWasAskedFor() async throws {
    let loop = EpollLoop()
    let pair = try SocketPair()
    let heard = Mutex<ChannelRecorder.Heard?>(nil)
    try await loop.submit {
      let channel = StreamChannel(pair.ours, on: loop)
      let recorder = ChannelRecorder(loop)
      recorder.over.whenSuccess { over in heard.withLock { $0 = over } }
      try channel.pipeline.syncOperations.addHandler(recorder)
      channel.serve()
    }.get()
    try await loop.shutdownGracefully()
    #expect(heard.withLock { $0?.ends } == ["active", "inactive"])
    #expect(pair.readToEnd() == [])
    pair.closePeer()
  }
}
