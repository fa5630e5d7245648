#!/usr/bin/env perl
# A client of hotlined on Perl's core modules: copy the package.
#
#     hotline.pl ask|stream|tools|parallel|cancel [TEXT...]
#
# Without TEXT the question is standard input. README.md has the exit status.
use v5.26;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

# A connection with any number of requests side by side.
package Hotline {
    use Errno qw(EAGAIN EINTR);
    use IO::Poll qw(POLLIN POLLOUT);
    use IO::Socket::UNIX;
    use JSON::PP ();

    my $json = JSON::PP->new->utf8;

    # Dies with one line of text if hotlined is not there.
    sub connect($class, $path = undef) {
        $path ||= $ENV{HOTLINE_SOCKET};
        $path ||= "$ENV{XDG_RUNTIME_DIR}/hotline.sock" if $ENV{XDG_RUNTIME_DIR};
        die "cannot reach hotlined: set HOTLINE_SOCKET or XDG_RUNTIME_DIR\n" unless $path;
        my $socket = IO::Socket::UNIX->new(Peer => $path)
            or die "cannot reach hotlined at $path: $!\n";
        $socket->blocking(0);
        $SIG{PIPE} = 'IGNORE';
        return bless {socket => $socket, in => '', searched => 0, out => '', open => {}}, $class;
    }

    # Sends a request and returns its answer to come, which is over when it has an outcome. The
    # options are those of `hotline`.
    sub request($self, $response, %options) {
        my $id = 'q' . ++$self->{made};
        my $answer = $self->{open}{$id} = {id => $id, text => '', response => {}};
        $self->_send({type => 'response.create', request_id => $id, hotline => \%options,
            response => $response});
        return $answer;
    }

    sub cancel($self, $answer) {
        $self->_send({type => 'response.cancel', request_id => $answer->{id}});
    }

    # Says that no more requests come: the daemon closes after the last answer.
    sub finish($self) {
        $self->{is_finished} = 1;
        $self->_write;
    }

    # Waits for the next line of a request, which its answer takes. Dies with one line of text if
    # hotlined refused the connection or left.
    sub read_line($self) {
        while (defined(my $text = $self->_next_line)) {
            my $line = eval { $json->decode($text) } or next;
            my $id = $line->{request_id};
            if (defined $id && (my $answer = $self->{open}{$id})) {
                _take($answer, $line);
                delete $self->{open}{$id} if $answer->{outcome};
                return $line;
            }
            die "refused by hotlined: $line->{error}{message}\n"
                if !defined $id && ($line->{type} // '') eq 'error';
        }
        die "hotlined closed the connection before the last line\n";
    }

    sub wait_for($self, $answer) {
        $self->read_line until $answer->{outcome};
        return $answer;
    }

    # The exit status that tells an answer's outcome.
    sub status($answer) {
        my %known = (completed => 0, incomplete => 3, cancelled => 130);
        return $known{$answer->{outcome}} // ($answer->{retryable} ? 75 : 1);
    }

    sub problem($answer) {
        my $error = $answer->{error} // $answer->{response}{error} // {};
        return join ': ', grep { defined } $answer->{outcome}, $error->{message};
    }

    sub _take($answer, $line) {
        my $type = $line->{type} // '';
        if ($type eq 'response.output_text.delta') {
            $answer->{text} .= $line->{delta};
        } elsif ($type =~ /^response\.(completed|incomplete|failed)$/) {
            my $response = $answer->{response} = $line->{response};
            $answer->{text} ||= join '',
                map { $_->{text} // '' } map { @{$_->{content} // []} } @{$response->{output}};
        } elsif ($type eq 'error') {
            $answer->{error} = $line->{error} // $line;
            $answer->{retryable} = ($line->{hotline} // {})->{retryable};
            # Refused: nothing follows. After every other error a hotline.done does.
            $answer->{outcome} = 'error' if !(($line->{hotline} // {})->{accepted} // 1);
        } elsif ($type eq 'hotline.done') {
            $answer->{outcome} = $line->{outcome};
        }
        return;
    }

    sub _send($self, $message) {
        $self->{out} .= $json->encode($message) . "\n";
        $self->_write;
    }

    # Writes what the socket takes; the rest goes while lines are read, because the daemon may wait
    # for us to read.
    sub _write($self) {
        while (length $self->{out}) {
            my $count = syswrite $self->{socket}, $self->{out};
            if (!defined $count) {
                return if $! == EAGAIN || $! == EINTR;
                $self->{out} = '';  # The daemon has closed; what it said is still to be read.
                return;
            }
            substr($self->{out}, 0, $count) = '';
        }
        shutdown $self->{socket}, 1 if $self->{is_finished};
    }

    sub _next_line($self) {
        my $poll = IO::Poll->new;
        while (1) {
            my $end = index $self->{in}, "\n", $self->{searched};
            if ($end >= 0) {
                $self->{searched} = 0;
                return substr $self->{in}, 0, $end + 1, '';
            }
            $self->{searched} = length $self->{in};
            $poll->mask($self->{socket} => length $self->{out} ? POLLIN | POLLOUT : POLLIN);
            $poll->poll;
            $self->_write if length $self->{out};
            my $count = sysread $self->{socket}, $self->{in}, 1 << 18, length $self->{in};
            next if !defined $count && ($! == EAGAIN || $! == EINTR);
            return undef unless $count;
        }
    }
}

# Examples: each returns the answers that decide about the exit status.

package main;
use open qw(:std :encoding(UTF-8));
use Encode qw(decode encode);
use IO::Handle;
use JSON::PP qw(decode_json);
use List::Util qw(max);

my $model = 'gpt-5.3-codex';
my $parameters = {type => 'object', properties => {answer => {type => 'string'}}};
my $count_words = {type => 'function', name => 'count_words', parameters => $parameters};

# One request, and no event but the last.
sub ask($hotline, $text) {
    my $answer = $hotline->request({model => $model, input => $text}, events => 'final');
    $hotline->finish;
    say $hotline->wait_for($answer)->{text};
    return $answer;
}

# The text as it comes, cancelled after so many deltas.
sub stream($hotline, $text, $deltas_max = 0) {
    my $answer = $hotline->request({model => $model, input => $text});
    my $deltas = 0;
    until ($answer->{outcome}) {
        my $line = $hotline->read_line;
        next unless ($line->{type} // '') eq 'response.output_text.delta';
        print $line->{delta};
        $hotline->cancel($answer) if ++$deltas == $deltas_max;  # A hotline.done still comes.
    }
    print "\n";
    return $answer;
}

sub cancel($hotline, $text) { return stream($hotline, $text, 3) }

# The model calls a function; the result goes back with the whole conversation.
sub tools($hotline, $text) {
    my @input = ({role => 'user', content => $text});
    my $response = {model => $model, tools => [$count_words], input => \@input};
    my @options = (conversation => "tools-$$");
    my $answer = $hotline->wait_for($hotline->request($response, @options));
    my @calls = grep { $_->{type} eq 'function_call' } @{$answer->{response}{output} // []};
    for my $call (@calls) {
        my @words = split ' ', decode_json(encode('UTF-8', $call->{arguments}))->{answer};
        delete $call->{id};  # The server has not stored it.
        push @input, $call, {type => 'function_call_output', call_id => $call->{call_id},
            output => @words . ' words'};
    }
    $answer = $hotline->wait_for($hotline->request($response, @options)) if @calls;
    say $answer->{text};
    return $answer;
}

# Ten requests on one connection, whose events come in any order.
sub parallel($hotline, $text) {
    my @answers = map { $hotline->request({model => $model, input => "$text $_"}) } 1 .. 10;
    say $_ + 1, ': ', $hotline->wait_for($answers[$_])->{text} for 0 .. $#answers;
    return @answers;
}

my %examples = (
    ask => \&ask, stream => \&stream, tools => \&tools, parallel => \&parallel, cancel => \&cancel);
my ($name, @words) = map { decode('UTF-8', $_) } @ARGV;
if (!$examples{$name // ''}) {
    say STDERR "usage: hotline.pl ask|stream|tools|parallel|cancel [TEXT...]";
    exit 2;
}
STDOUT->autoflush;
my $text = @words ? "@words" : do { local $/; <STDIN> } // '';
my @answers = eval { $examples{$name}(Hotline->connect, $text) };
if ($@) {
    print STDERR "hotline: $@";
    exit 69;
}
for (grep { Hotline::status($_) } @answers) { say STDERR 'hotline: ', Hotline::problem($_) }
exit max map { Hotline::status($_) } @answers;
