import pytest
from benchlib.faces import MAX_DRAWN, write_many_faces
from mmpretrain.registry import DATASETS


@pytest.mark.parametrize('images', [5, MAX_DRAWN + 3])
def test_any_number_of_faces(images, tmp_path):
    """All are in the training split; beyond ``MAX_DRAWN`` images repeat with their labels."""
    write_many_faces(tmp_path / 'faces', images)
    dataset = DATASETS.build(dict(type='mmpretrain.CelebAIdentity', data_root=str(tmp_path / 'faces'), split='train'))
    assert len(dataset) == images
    files = [open(record['img_path'], 'rb').read() for record in dataset.data_list]
    assert len(set(files)) == min(images, len(set(files[:MAX_DRAWN]))) and len(set(files[:MAX_DRAWN])) > 4
    for index in range(MAX_DRAWN, images):
        first, again = dataset.data_list[index - MAX_DRAWN], dataset.data_list[index]
        assert files[index] == files[index - MAX_DRAWN]
        assert first['identity'] == again['identity'] and (first['gt_score'] == again['gt_score']).all()
