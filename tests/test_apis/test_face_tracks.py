"""Faces that are followed by their places and looks."""

import numpy as np
import pytest

from imcnn_plugin.apis.face_tracks import _FaceFollower, _TrackedFace

# Logits of three people, whose likeness is 0.
LOOKS = dict(ann=[3.0, 0, 0], bo=[0, 3.0, 0], cy=[0, 0, 3.0])


def follow(frames):
    """People by frame, five in a second: dicts of the left sides of boxes of 20 pixels."""
    follower = _FaceFollower(5)
    for number, frame in enumerate(frames):
        time = number / 5
        follower.add(
            [
                _TrackedFace(time, [left, 0, left + 20, 20], np.array(LOOKS[name]), np.array([ord(name[0])]))
                for name, left in frame.items()
            ]
        )
    tracks = follower.people()
    # Each is of one person.
    names = [{chr(face.probabilities[0]) for face in track} for track in tracks]
    assert all(len(name) == 1 for name in names)
    return [(name.pop(), len(track)) for name, track in zip(names, tracks)]


def test_people_who_cross_keep_their_tracks():
    frames = [dict(ann=5 * i, bo=95 - 5 * i) for i in range(20)]
    assert follow(frames) == [('a', 20), ('b', 20)]
    assert follow([dict(reversed(frame.items())) for frame in frames]) == [('b', 20), ('a', 20)]


def test_one_person_for_another_in_the_same_place_is_another_track():
    assert follow([dict(ann=50)] * 5 + [dict(bo=50)] * 5) == [('a', 5), ('b', 5)]


def test_people_who_come_back_are_found_again_wherever_they_are():
    frames = [dict(ann=0, bo=50)] * 5 + [dict(bo=50)] * 30 + [{}] + [dict(ann=200, bo=60)] * 4
    assert follow(frames) == [('a', 9), ('b', 39)]


def test_a_look_alike_in_the_same_frame_is_another_person():
    follower, look = _FaceFollower(5), np.array(LOOKS['ann'])
    for i in range(6):
        # The first stays, the second comes later, and jumps.
        boxes = [[0, 0, 20, 20]] + [[100 + 50 * i, 0, 120 + 50 * i, 20]] * (i > 1)
        follower.add([_TrackedFace(i / 5, box, look, look) for box in boxes])
    assert [[face.box[0] for face in track] for track in follower.people()] == [[0] * 6, [200, 250, 300, 350]]


def test_a_face_that_is_seen_once_is_left_out():
    frames = [dict(ann=50)] * 5
    frames[2] = dict(ann=50, cy=90)
    assert follow(frames) == [('a', 5)] and follow([{}, {}]) == []


@pytest.mark.parametrize('fps', [5, 0.5])
def test_looks_that_change_are_followed_in_one_place_only(fps):
    """The likeness of the two looks is 0.8."""
    looks = [[3.0, 0, 0]] * 5 + [[2.4, 1.8, 0]] * 5
    for step, expected in ((2, [10]), (100, [5, 5])):
        follower = _FaceFollower(fps)
        for i, look in enumerate(looks):
            left = step * i
            follower.add([_TrackedFace(i / fps, [left, 0, left + 20, 20], np.array(look), np.array(look))])
        assert [len(track) for track in follower.people()] == expected


def test_tracks_are_joined_to_one_person_who_is_in_a_frame_once():
    follower, look = _FaceFollower(5), np.array(LOOKS['ann'])
    # Lefts of a face, by frame: it comes back after a while, and then there is another one.
    for i, lefts in {**{i: [0] for i in range(5)}, 10: [300], 11: [300], 12: [300, 600], 13: [600]}.items():
        follower.add([_TrackedFace(i / 5, [left, 0, left + 20, 20], look, look) for left in lefts])
    assert [[face.box[0] for face in track] for track in follower.people()] == [[0] * 5 + [300] * 3, [600] * 2]
