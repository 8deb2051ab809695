#!/usr/bin/perl
# What the HAProxy whose Runtime API listens at the given path knows of its servers, as another one reads it at its start.
use strict;
use warnings;
use IO::Socket::UNIX;
local $SIG{ALRM} = sub { die "no answer in time\n" };
alarm 2;
my $line = IO::Socket::UNIX->new($ARGV[0]) or die "$ARGV[0]: $!\n";
print $line "show servers state\n";
$line->flush();
print while <$line>;
