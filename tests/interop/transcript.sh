#!/bin/sh
# Usage: transcript.sh <TRANSCRIPT
# Runs the "$ LINE" lines of a transcript, one shell each, and prints the transcript anew: the line, what it prints, "= STATUS".
# Everything else in the input is comment when it starts with "#" (kept) or old output (replaced). A plain POSIX shell is enough: the
# same file runs on the real kernel, where the transcripts in this folder come from, and in pocketcan.
while IFS= read -r line; do
    case $line in
    '$ '*)
        printf '%s\n' "$line"
        sh -c "${line#??}" </dev/null 2>&1
        echo "= $?"
        ;;
    '#'*) printf '%s\n' "$line" ;;
    esac
done
