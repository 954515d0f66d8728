"""Fits ID Net's linear SVMs on the descriptors of a trained face recognition network and tests them."""

import argparse
from pathlib import Path

from imcnn_plugin.apis import fit_attributes, load_config
from imcnn_plugin.evaluation.report import format_table, write_report


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file, such as configs/id_net_celeba.py')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--data-root', help="the data set's folder, in place of the config's")
    parser.add_argument('--work-dir', help='where per_attribute.json and .csv go; default work_dirs/<config>')
    args = parser.parse_args()
    cfg = load_config(args.config, args.data_root, args.work_dir)
    report = fit_attributes(cfg, args.checkpoint)
    Path(cfg.work_dir).mkdir(parents=True, exist_ok=True)
    write_report(report, cfg.work_dir)
    print(format_table(report))


if __name__ == '__main__':
    main()
